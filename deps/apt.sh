# Shared by the scripts of this folder: apt with lists of its own, the system's apt configuration untouched.
# SPDX-License-Identifier: BSD-3-Clause

# One line, on stderr, and out.
die() {
	echo "deps: $*" >&2
	exit 1
}

say() {
	printf '  %-7s %s\n' "$1" "$2"
}

# apt_own DIR: make DIR a private apt area for this Debian release, binary and source packages. The mirrors are the ones
# the system uses: its entries are copied, and each gets the source packages as well.
apt_own() {
	apt_dir=$1
	mkdir -p "$apt_dir/parts" "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial"
	apt_dir=$(cd "$apt_dir" && pwd)
	# Until the calling script ends: `make -j` runs several of them.
	exec 9>"$apt_dir/lock"
	flock 9
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ -n "$codename" ] || die "/etc/os-release names no Debian release"
	apt_pick "$codename"
	set -- "$apt_dir"/parts/*
	[ -e "$1" ] || die "no entry for $codename main in the system's apt sources"
	apt_args="-o Dir::Etc::sourceparts=$apt_dir/parts -o Dir::Etc::sourcelist=/dev/null
		-o Dir::State::Lists=$apt_dir/lists -o Dir::Cache=$apt_dir/cache -o Acquire::Retries=3
		-o Acquire::Languages=none -o APT::Sandbox::User= -o APT::Update::Post-Invoke-Success::=true"
	if [ ! -e "$apt_dir/updated" ] || [ -n "$(find "$apt_dir/updated" -mtime +0)" ]; then
		say APT "package lists"
		# shellcheck disable=SC2086
		apt-get $apt_args -qq update >"$apt_dir/update.log" 2>&1 ||
			die "apt-get update failed: $(grep '^E:' "$apt_dir/update.log" | head -n 1)"
		touch "$apt_dir/updated"
	fi
}

# apt_security: add Debian's security archive to the area of apt_own, for a system whose own sources leave it out, as a
# system made by debootstrap has them. 0 when its lists could be fetched.
apt_security() {
	! grep -qs "$codename-security" "$apt_dir"/parts/* || return 1
	for type in deb deb-src; do
		echo "$type http://deb.debian.org/debian-security $codename-security main"
	done >"$apt_dir/parts/security.list"
	say APT "package lists of the security archive"
	# shellcheck disable=SC2086
	apt-get $apt_args -qq update >"$apt_dir/update.log" 2>&1
}

# The system's entries for release $1, component main, as files in $apt_dir/parts.
apt_pick() {
	rm -f "$apt_dir"/parts/*
	n=0
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		n=$((n + 1))
		case $f in
		*.list) out=$apt_dir/parts/$n.list prog=oneline ;;
		*.sources) out=$apt_dir/parts/$n.sources prog=deb822 ;;
		*) continue ;;
		esac
		[ -r "$f" ] || continue
		apt_$prog "$1" <"$f" >"$out"
		[ -s "$out" ] || rm "$out"
	done
}

# One-line format: deb [options] uri suite component...
apt_oneline() {
	awk -v code="$1" '
		$1 == "deb" {
			rest = $0
			sub(/#.*/, "", rest)
			sub(/^[ \t]*deb[ \t]+/, "", rest)
			body = rest
			sub(/^\[[^]]*\][ \t]*/, "", body)
			n = split(body, w, /[ \t]+/)
			ok = 0
			for (i = 3; i <= n; i++)
				if (w[i] == "main")
					ok = 1
			if (!ok || w[2] !~ ("^" code "(-updates|-security|/updates)?$"))
				next
			print "deb " rest
			print "deb-src " rest
		}'
}

# deb822 format: stanzas of "Field: value" with continuation lines.
apt_deb822() {
	awk -v code="$1" '
		function flush(  i, n, w, ok) {
			n = split(suites, w, /[ \t]+/)
			for (i = 1; i <= n; i++)
				if (w[i] ~ ("^" code "(-updates|-security|/updates)?$"))
					ok = 1
			if (ok && types ~ /(^|[ \t])deb([ \t]|$)/ && comps ~ /(^|[ \t])main([ \t]|$)/ && enabled !~ /^(no|false|0)$/)
				printf "Types: deb deb-src\n%s\n", text
			text = types = suites = comps = enabled = ""
		}
		/^#/ { next }
		/^[ \t]*$/ { flush(); next }
		{
			field = /^[ \t]/ ? field : tolower(substr($0, 1, index($0, ":") - 1))
			value = $0
			if (!/^[ \t]/)
				sub(/^[^:]*:[ \t]*/, "", value)
			if (field == "types") { types = types " " value; next }
			if (field == "suites") suites = suites " " value
			if (field == "components") comps = comps " " value
			if (field == "enabled") enabled = tolower(value)
			text = text $0 "\n"
		}
		END { flush() }'
}
