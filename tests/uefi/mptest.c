/* Has the firmware's other CPUs work in every way that EFI_MP_SERVICES_PROTOCOL has, and says what
 * each did. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <efi.h>
#include <efilib.h>

#define CPUS_MAX    16
#define TIMEOUT_US  200000
#define POLLS_MAX   500
#define POLL_US     10000
#define END_OF_LIST (UINTN)0xffffffff /* END_OF_CPU_LIST */

/* EFI_MP_SERVICES_PROTOCOL, PI 1.8, volume 2, section 13.4. */
struct cpu_information {
	UINT64 id;
	UINT32 status; /* bit 0 BSP, 1 enabled, 2 healthy */
	UINT32 package, core, thread;
	UINT32 extended[6];
};
typedef VOID(EFIAPI *ap_procedure)(VOID *argument);
struct mp_services {
	EFI_STATUS(EFIAPI *count)(struct mp_services *this, UINTN *all, UINTN *enabled);
	EFI_STATUS(EFIAPI *information)
	(struct mp_services *this, UINTN number, struct cpu_information *information);
	EFI_STATUS(EFIAPI *startup_all)
	(struct mp_services *this, ap_procedure procedure, BOOLEAN single_thread, EFI_EVENT event,
	 UINTN timeout_us, VOID *argument, UINTN **failed);
	EFI_STATUS(EFIAPI *startup_this)
	(struct mp_services *this, ap_procedure procedure, UINTN number, EFI_EVENT event,
	 UINTN timeout_us, VOID *argument, BOOLEAN *finished);
	EFI_STATUS(EFIAPI *switch_bsp)(struct mp_services *this, UINTN number, BOOLEAN enable_old);
	EFI_STATUS(EFIAPI *enable_disable)
	(struct mp_services *this, UINTN number, BOOLEAN enable, UINT32 *health);
	EFI_STATUS(EFIAPI *who_am_i)(struct mp_services *this, UINTN *number);
};
static EFI_GUID mp_services_guid = {
    0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};

/* What the CPUs leave; index: APIC ID. */
struct work {
	volatile UINT32 runs[CPUS_MAX];
	volatile UINT32 virt[CPUS_MAX]; /* the CPU showed AMD-V or VT-x */
	volatile UINT32 svme[CPUS_MAX]; /* AMD-V is switched on: EFER.SVME */
	volatile UINT64 number[CPUS_MAX];
	volatile UINT32 inside, most_inside, strangers;
};

static struct mp_services *mp;
static struct work work;
static UINTN cpus;
static volatile UINT32 stay;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static UINT32 cpuid(UINT32 leaf, UINT32 *ecx)
{
	UINT32 eax = leaf, ebx, edx;

	*ecx = 0;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(*ecx), "=d"(edx));
	return ebx;
}

static UINT32 efer(void)
{
	UINT32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xc0000080));
	return low;
}

static VOID EFIAPI count_me(VOID *argument)
{
	struct work *w = argument;
	UINT32 ecx, id = cpuid(1, &ecx) >> 24;
	UINT32 inside = __atomic_add_fetch(&w->inside, 1, __ATOMIC_SEQ_CST);
	UINTN number = ~(UINTN)0;

	if (inside > w->most_inside)
		w->most_inside = inside;
	if (id < CPUS_MAX) {
		UINT32 vmx = ecx >> 5 & 1;

		cpuid(0x80000001, &ecx);
		w->virt[id] = vmx | (ecx >> 2 & 1);
		w->svme[id] = efer() >> 12 & 1;
		mp->who_am_i(mp, &number);
		w->number[id] = number;
		__atomic_add_fetch(&w->runs[id], 1, __ATOMIC_SEQ_CST);
	} else {
		__atomic_add_fetch(&w->strangers, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_sub_fetch(&w->inside, 1, __ATOMIC_SEQ_CST);
}

/* The CPUs with an odd APIC ID do not come back by themselves, nor does any when the argument is
 * set. */
static VOID EFIAPI some_stay(VOID *argument)
{
	UINT32 ecx, id = cpuid(1, &ecx) >> 24;

	if (argument != NULL || (id & 1) != 0) {
		while (stay != 0)
			__asm__ volatile("pause");
	}
}

/* One line: name, status, then "APIC ID:number:runs" of each CPU that ran. */
static void show(const CHAR16 *what, EFI_STATUS status)
{
	UINTN ran = 0, virt = 0, svme = 0;

	Print(L"MPTEST %s: status %lx, ran", what, (UINT64)status);
	for (UINTN i = 0; i < CPUS_MAX; i++) {
		if (work.runs[i] == 0)
			continue;
		Print(L" %d:%d:%d", i, work.number[i], work.runs[i]);
		ran++;
		virt += work.virt[i];
		svme += work.svme[i];
	}
	Print(L" strangers %d left inside %d\n", work.strangers, work.inside);
	Print(L"MPVIRT %d of %d\nMPSVME %d\n", virt, ran, svme);
	SetMem((void *)(UINTN)&work, sizeof(work), 0);
}

static void show_status(const CHAR16 *what, UINTN number, EFI_STATUS status)
{
	Print(L"MPTEST %s %d: status %lx\n", what, number, (UINT64)status);
}

static void show_failed(const UINTN *failed)
{
	Print(L"MPTEST not finished:");
	for (UINTN i = 0; failed != NULL && i < CPUS_MAX && failed[i] != END_OF_LIST; i++)
		Print(L" %d", failed[i]);
	Print(L"\n");
}

/* Non-blocking: the firmware's timer looks after the CPUs and signals the event. */
static void without_waiting(void)
{
	EFI_EVENT event;
	EFI_STATUS s = BS->CreateEvent(0, 0, NULL, NULL, &event);
	UINTN polls = 0;

	if (EFI_ERROR(s))
		return;
	s = mp->startup_all(mp, count_me, FALSE, event, 0, &work, NULL);
	while (!EFI_ERROR(s) && BS->CheckEvent(event) == EFI_NOT_READY && polls++ < POLLS_MAX)
		BS->Stall(POLL_US);
	show(polls < POLLS_MAX ? L"all, by event" : L"all, no event", s);
	BS->CloseEvent(event);
}

static void time_outs(void)
{
	UINTN *failed = NULL;
	BOOLEAN finished = TRUE;
	EFI_STATUS s;

	stay = 1;
	s = mp->startup_all(mp, some_stay, FALSE, NULL, TIMEOUT_US, NULL, &failed);
	show_status(L"time-out of all", 0, s);
	show_failed(failed);
	if (failed != NULL)
		BS->FreePool(failed);
	s = mp->startup_this(mp, some_stay, cpus - 1, NULL, TIMEOUT_US, &work, &finished);
	show_status(L"time-out of", cpus - 1, s);
	Print(L"MPTEST finished %d\n", finished);
	stay = 0;
	s = mp->startup_all(mp, count_me, FALSE, NULL, 0, &work, NULL);
	show(L"all, after time-outs", s);
}

static void one_by_one(void)
{
	for (UINTN i = 0; i < cpus; i++) {
		EFI_STATUS s = mp->startup_this(mp, count_me, i, NULL, 0, &work, NULL);
		show(L"this", s);
	}
}

static void off_and_on(void)
{
	struct cpu_information information;
	UINTN all, enabled, last = cpus - 1;

	show_status(L"disable", last, mp->enable_disable(mp, last, FALSE, NULL));
	mp->count(mp, &all, &enabled);
	mp->information(mp, last, &information);
	Print(L"MPTEST count %d enabled %d, flags %x\n", all, enabled, information.status);
	/*
	 * One after the other: for all at once OVMF sends the start-up IPI to the disabled
	 * CPU too, but waits for the others only, and frees the start-up code under it.
	 */
	show(L"all but the last", mp->startup_all(mp, count_me, TRUE, NULL, 0, &work, NULL));
	show(L"the last, disabled", mp->startup_this(mp, count_me, last, NULL, 0, &work, NULL));
	show_status(L"enable", last, mp->enable_disable(mp, last, TRUE, NULL));
	mp->count(mp, &all, &enabled);
	mp->information(mp, last, &information);
	Print(L"MPTEST count %d enabled %d, flags %x\n", all, enabled, information.status);
	show(L"the last", mp->startup_this(mp, count_me, last, NULL, 0, &work, NULL));
	show_status(L"disable", 0, mp->enable_disable(mp, 0, FALSE, NULL));
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	UINTN enabled, self = ~(UINTN)0;
	void *p;

	InitializeLib(image, table);
	EFI_STATUS s = BS->LocateProtocol(&mp_services_guid, NULL, &p);
	if (EFI_ERROR(s))
		return s;
	mp = p;
	s = mp->count(mp, &cpus, &enabled);
	if (EFI_ERROR(s) || cpus > CPUS_MAX)
		return EFI_ABORTED;
	mp->who_am_i(mp, &self);
	Print(L"MPTEST count %d enabled %d self %d\n", cpus, enabled, self);
	for (UINTN i = 0; i < cpus; i++) {
		struct cpu_information information;
		s = mp->information(mp, i, &information);
		Print(L"MPTEST cpu %d: status %lx, APIC ID %lx, flags %x, %d.%d.%d\n", i, (UINT64)s,
		      information.id, information.status, information.package, information.core,
		      information.thread);
	}
	show(L"all", mp->startup_all(mp, count_me, FALSE, NULL, 0, &work, NULL));
	s = mp->startup_all(mp, count_me, TRUE, NULL, 0, &work, NULL);
	Print(L"MPTEST most at a time %d\n", work.most_inside);
	show(L"all, one at a time", s);
	one_by_one();
	off_and_on();
	without_waiting();
	time_outs();
	one_by_one();
	count_me(&work);
	show(L"self", EFI_SUCCESS);
	Print(L"MPTEST end\n");
	return EFI_SUCCESS;
}
