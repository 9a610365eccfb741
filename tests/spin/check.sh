#!/bin/sh
# Verify the Promela models with spin, then show that each mistake named in them is found.
# Usage: check.sh DIRECTORY-FOR-OUTPUT
# SPDX-License-Identifier: BSD-3-Clause
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
out=$(cd "$out" && pwd)

# verify MODEL PROPERTY [BUG]: status 0 when spin finds no error. PROPERTY "safety": assertions only.
verify()
{
	model=$1 property=$2 bug=${3:-}
	dir=$out/$model-$property${bug:+-$bug}
	rm -rf "$dir" && mkdir -p "$dir" && cd "$dir"
	define= cc="-DSAFETY -DNOCLAIM" run=
	[ -z "$bug" ] || define=-D$bug
	# weak fairness: each process that can go on does
	[ "$property" = safety ] || { cc=-DNFAIR=4 run="-a -f -N $property"; }
	# shellcheck disable=SC2086
	spin -a $define "$here/$model.pml" >spin.log && [ -e pan.c ] || { cat spin.log; exit 2; }
	# shellcheck disable=SC2086
	gcc -O2 -w $cc -o pan pan.c
	# shellcheck disable=SC2086
	timeout 120 ./pan -m200000 $run >pan.log 2>&1 || { cat pan.log; echo "$model, $property: pan failed"; exit 2; }
	grep -q 'max search depth too small\|out of memory' pan.log && { cat pan.log; echo "$model, $property: not searched to the end"; exit 2; }
	grep -q 'errors: 0$' pan.log
}

right()
{
	verify "$@" || { cat "$out/$1-$2/pan.log"; echo "$1: $2 does not hold"; exit 1; }
	echo "  holds   $1: $2, $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$out/$1-$2/pan.log" | head -n 1) states"
}

wrong()
{
	! verify "$@" || { echo "$1: $2 holds with $3: the model cannot fail"; exit 1; }
	echo "  found   $1: $3 breaks $2"
}

right runqueue safety
right runqueue lock_is_given
right runqueue each_has_turns
wrong runqueue lock_is_given BUG_TEST_AND_SET
wrong runqueue safety BUG_NO_LOCK
wrong runqueue safety BUG_EARLY_PUT
wrong runqueue each_has_turns BUG_LIFO
right nmi_claims safety
wrong nmi_claims safety BUG_NO_CLAIMS
wrong nmi_claims safety BUG_KEEP
wrong nmi_claims safety BUG_NOT_LANDED
wrong nmi_claims safety BUG_STAYS
right thread_state safety
right thread_state work_is_done
wrong thread_state work_is_done BUG_LOOK_FIRST
wrong thread_state safety BUG_LOAD_STORE
wrong thread_state work_is_done BUG_WAKE_FIRST
