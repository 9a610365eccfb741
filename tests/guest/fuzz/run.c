/* The runner of the guest fuzzer: command line, CPUs, checkpoints, and windows to look into. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/fuzz/fuzz.h"

static struct fuzz_env env;
static uint64_t first, count, every, from, to;
static uint32_t print_lock;
static unsigned errors;

static struct state {
	uint64_t now; /* number of the operation that runs */
	uint64_t digest, kinds[FUZZ_KINDS], ops[FUZZ_KINDS];
} states[CPUS_MAX];

static void print_begin(void)
{
	while (__atomic_exchange_n(&print_lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void print_end(void)
{
	__atomic_store_n(&print_lock, 0, __ATOMIC_RELEASE);
}

void fuzz_error(const char *format, ...)
{
	char text[200];
	__builtin_va_list args;

	__builtin_va_start(args, format);
	format_text(text, sizeof(text), format, args);
	__builtin_va_end(args);
	print_begin();
	if (errors++ < 50)
		print("fuzz error cpu %u op %lu: %s\n", cpu_index(), states[cpu_index()].now, text);
	print_end();
}

static void fold(uint64_t *digest, uint64_t value)
{
	uint64_t h = *digest ^ value;

	h *= UINT64_C(0x9fb21c651e98df25);
	*digest = h ^ h >> 29;
}

static void show(unsigned cpu, uint64_t index, const struct fuzz_op *op,
		 const struct fuzz_result *r)
{
	const char *reason;

	print_begin();
	print("fuzz op %u %lu %s what %u size %u how %#x number %#x value %#lx extra %#lx", cpu,
	      index, fuzz_names[op->kind], op->what, op->size, op->how, op->number, op->value,
	      op->extra);
	if (op->length) {
		print(" code");
		for (unsigned i = 0; i < op->length; i++)
			print(" %02x", op->code[i]);
	}
	if (!r) {
		print(" ...\n");
		print_end();
		return;
	}
	if (r->skip) {
		(void)fuzz_compared(op, &reason);
		print(" (not compared: %s)", reason ? reason : "no lock, or a device's state");
	}
	print(" :");
	for (unsigned i = 0; i < r->count; i++)
		print(" %lx", r->value[i]);
	print("\n");
	print_end();
}

static void work(void *arg)
{
	unsigned cpu = cpu_index();
	struct state *s = &states[cpu];
	struct fuzz_result r;
	struct fuzz_op op;

	(void)arg;
	fuzz_load();
	for (uint64_t n = first; n < first + count; n++) {
		bool looked = n >= from && n <= to;

		s->now = n;
		fuzz_make(&env, cpu, n, &op);
		if (looked && word_number("before", 0))
			show(cpu, n, &op, NULL);
		fuzz_execute(&env, &op, &r);
		s->ops[op.kind]++;
		for (unsigned i = 0; !r.skip && i < r.count; i++) {
			fold(&s->digest, r.value[i]);
			fold(&s->kinds[op.kind], r.value[i]);
		}
		if (looked)
			show(cpu, n, &op, &r);
		if ((n + 1 - first) % every == 0) {
			print_begin();
			print("fuzz cpu %u op %lu digest %#lx\n", cpu, n + 1, s->digest);
			print_end();
		}
	}
	fuzz_finish(&env);
	print_begin();
	for (unsigned k = 0; k < FUZZ_KINDS; k++) {
		if (s->ops[k])
			print("fuzz cpu %u kind %s ops %lu digest %#lx\n", cpu, fuzz_names[k],
			      s->ops[k], s->kinds[k]);
	}
	print_end();
}

/* kinds=LIST: names between commas; without it all. */
static uint32_t chosen(void)
{
	const char *s = word_text("kinds");
	uint32_t bits = 0;

	while (s && *s && *s != ' ') {
		size_t n = 0;

		while (s[n] && s[n] != ',' && s[n] != ' ')
			n++;
		for (unsigned k = 0; k < FUZZ_KINDS; k++) {
			if (strlen(fuzz_names[k]) == n && !memcmp(s, fuzz_names[k], n))
				bits |= 1u << k;
		}
		s += n + (s[n] == ',');
	}
	return bits ? bits : (1u << FUZZ_KINDS) - 1;
}

static uint16_t pm1_port(void)
{
	const uint8_t *fadt = acpi_table("FACP");
	uint32_t port = 0;

	if (fadt)
		memcpy(&port, fadt + 64, sizeof(port)); /* PM1a_CNT_BLK: ACPI 5.2.9 */
	return (uint16_t)port;
}

unsigned fuzz_run(void)
{
	unsigned fuzzing = cpu_count();
	uint64_t ops = word_number("ops", 10000);

	env.seed = word_number("fuzz", 1);
	env.kinds = chosen();
	env.pm1 = pm1_port();
	/* with several CPUs the last one is parked, for others to start again and again */
	if (fuzzing > 1 && env.kinds >> FUZZ_START & 1)
		env.parked = (uint8_t)--fuzzing;
	env.cpus = (uint8_t)fuzzing;
	count = (ops + fuzzing - 1) / fuzzing;
	first = word_number("first", 0);
	every = word_number("every", count / 64 + 1);
	from = word_number("from", ~UINT64_C(0));
	to = word_number("to", ~UINT64_C(0) - 1);
	print("fuzz begin seed %lu cpus %u each %lu pm1 %#x\n", env.seed, fuzzing, count, env.pm1);
	fuzz_prepare(&env, fuzzing);
	for (unsigned cpu = 1; cpu < fuzzing; cpu++)
		cpu_start(cpu, work, NULL);
	work(NULL);
	for (unsigned cpu = 1; cpu < fuzzing; cpu++) {
		while (cpu_state(cpu)->work)
			cpu_relax();
	}
	if (cpus_outside())
		fuzz_error("CPUs outside of the VMM: %#x", cpus_outside());
	print("fuzz end errors %u\n", errors);
	return errors;
}
