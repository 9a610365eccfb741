/* Model of the claims of core/vm/nmi.c: kicks and the guest's NMIs, which merge in the local APIC. */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two CPUs kick a third one, each for a reason of its own, and the machine sends it NMIs of the guest's. Its local APIC
 * keeps one NMI that waits, whatever they are. One reason stays until the end of the exit (KICKS_THAT_STAY). Safe: the
 * guest gets no more NMIs than the machine has sent; and it gets each that comes while nothing else goes on, whatever has
 * merged before.
 *
 * What is wrong on purpose, each to be found by tests/spin/check.sh:
 *   BUG_NO_CLAIMS   an NMI is a kick's only while its reason stands
 *   BUG_KEEP        claims that are left over stay
 *   BUG_NOT_LANDED  claims are given up although their NMI has not been sent
 *   BUG_STAYS       a reason that stays is taken for one whose NMI is still to come
 */
#define KICKS  2 /* of each CPU */
#define GUESTS 2

bool asked[2];               /* struct vcpu.kick; the second one stays */
byte sent, landed, claimed;  /* kicks_under_way[] */
bool waits;                  /* an NMI, in the local APIC */
byte seen, nmis, was;        /* nmis: struct vcpu.host_nmi */
byte to_guest, got;
bool handles;                /* the target is in an exit */
bool alone;                  /* the guest's NMI that is under way met nothing else */

proctype kicker(byte reason)
{
	byte n;

	do
	:: n == KICKS -> break
	:: else ->
		n++;
		if
		:: atomic { asked[reason] -> skip } /* the same is under way */
		:: atomic { !asked[reason] -> asked[reason] = true; alone = false }
			atomic { sent++; alone = false }
			waits = true;
			landed++
		fi
	od
}

proctype machine()
{
	do
	:: to_guest == GUESTS -> break
	:: else ->
		atomic {
			alone = !handles && !waits && sent == landed && !asked[0] && !asked[1];
			to_guest++;
			waits = true
		}
	od
}

inline take()
{
	atomic { seen = nmis; nmis = 0 }
#ifdef BUG_NO_CLAIMS
	if
	:: seen && (asked[0] || asked[1]) -> seen--
	:: else
	fi;
#endif
	asked[0] = false;
#ifndef BUG_NO_CLAIMS
	do
	:: seen && claimed != sent -> claimed++; seen--
	:: else -> break
	od;
#endif
	atomic {
		assert(!alone || seen == 1);
		alone = false;
		got = got + seen;
		assert(got <= to_guest)
	}
}

/* is_claimed_nmi_here(), and the loop around it */
inline settle()
{
	do
#ifdef BUG_STAYS
	:: claimed == sent || asked[0] || asked[1] -> break
#else
	:: claimed == sent || asked[0] -> break
#endif
	:: else ->
		was = sent;
#ifndef BUG_NOT_LANDED
		waits || landed == was || sent != was;
#endif
		if
		:: atomic { waits -> waits = false; nmis++ }
			take()
		:: atomic { !waits -> if :: sent == was -> claimed = was :: else fi }
			break
		fi
	od
}

active proctype target()
{
end:	do
	:: atomic { waits -> waits = false; nmis++; handles = true }
		take();
#ifndef BUG_KEEP
		settle();
#endif
		asked[1] = false;
		handles = false
	:: atomic { asked[0] || asked[1] -> handles = true } /* an exit for another reason */
		take();
#ifndef BUG_KEEP
		settle();
#endif
		asked[1] = false;
		handles = false
	od
}

init
{
	atomic { run kicker(0); run kicker(1); run machine() }
}
