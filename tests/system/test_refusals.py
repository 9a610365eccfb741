"""Reasons not to start: what the user reads, and what each answer to the question does."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import time

import pytest

from lib import checks, grubdisk
from lib.machine import Machine, run
from lib.screen import ScreenMachine, squeeze
from test_loader import ELF, LOADER, built, fat, machine, reserved_pages, script, sections  # noqa: F401
from test_panic import screen_text

media = run.media
MIB = 1 << 20
NOT_STARTED = "BitVisor is not started: "
QUESTION = "Press c to continue without BitVisor, r to reboot. After 30 seconds: {} (vmm.on_error)."
# An instruction takes a microsecond: 30 seconds pass in a few, and TSC, timer and clock agree on them.
FAST_TIME = 10
BAD_CONF = """# line 1
vmm.bogus=1

vmm.auto_reboot=999
"""
BAD_WORDS = ("vmm.startup=x", "foo")
BAD_MESSAGES = (
    "bitvisor.conf:2:1: vmm.bogus: no such key",
    'bitvisor.conf:4:17: vmm.auto_reboot: "999" is out of range; valid: a number from 0 to 60',
    'vmm.startup: "x" is no value of this key; valid: auto, sipi or icr',
    "foo: '=' is missing; write key=value")
CPUS = {"no-svm": ("EPYC,-svm", "the CPU has no AMD-V"),
        "no-npt": ("EPYC,+svm,-npt", "the CPU has no nested paging"),
        "no-vmx": ("Skylake-Client", "the CPU has no VT-x")}


@pytest.fixture
def grub_disk(request, tmp_path):
    if request.config.getoption("--as-bare"):
        pytest.skip("nothing refuses without the VMM")
    return grubdisk.make(str(tmp_path))


def ram_above_1m(grub):
    rows = re.findall(r"base_addr = (0x\w+), length = (0x\w+), available", grub.command("lsmmap"))
    return sum(int(n, 16) for a, n in rows if int(a, 16) >= MIB)


# A boot sector that keeps the clock's time (INT 1Ah, AH = 2) at 7DF0h and says that it runs.
SECTOR_TEXT, SECTOR_TIME = "the boot sector runs", 0x7DF0
SECTOR = bytes.fromhex("b402 cd1a"                # mov $2, %ah; int $0x1a
                       "890ef07d 8916f27d"        # mov %cx, 0x7df0; mov %dx, 0x7df2
                       "be207c"                   # mov $text, %si
                       "ac 84c0 7409"             # 1: lodsb; test %al, %al; jz 2f
                       "b40e bb0700 cd10 ebf2"    # mov $0xe, %ah; mov $7, %bx; int $0x10; jmp 1b
                       "f4 ebfd") + SECTOR_TEXT.encode() + b"\0"  # 2: hlt; jmp 2b


@pytest.fixture
def sector_disk(request, tmp_path):
    if request.config.getoption("--as-bare"):
        pytest.skip("nothing refuses without the VMM")
    path = tmp_path / "sector.img"
    path.write_bytes(SECTOR.ljust(510, b"\0") + b"\x55\xaa" + bytes(MIB - 512))
    return str(path)


def sector_seconds(m, tmp_path):
    """Seconds from power-on of a machine with FAST_TIME to its boot sector."""
    path = tmp_path / "time"
    m.monitor.command("pmemsave", val=SECTOR_TIME, size=4, filename=str(path))
    minute, hour, _, second = path.read_bytes()  # CL, CH, DL, DH in BCD
    return sum(int(f"{v:x}") * unit for v, unit in ((hour, 3600), (minute, 60), (second, 1)))


def ends(m, seconds):
    """Whether the machine ends by itself within that time."""
    end = time.monotonic() + seconds
    while m._read(0.1):
        if time.monotonic() > end:
            return False
    return True


@pytest.mark.parametrize("case", [*CPUS, "memory", "strict"])
def test_bios_continue(grub_disk, conf, case):
    """The reason is on the screen; other keys do nothing; c starts the guest's disk with all of the memory."""
    options, reason = {"mem": 64}, None
    if case in CPUS:
        options["cpu"], reason = CPUS[case]
    elif case == "memory":
        options["mem"], reason = 24, "16 MiB of memory between 16 MiB and 4 GiB are needed in one piece, the largest is 6 MiB"
    else:
        options |= {"conf": conf(BAD_CONF), "words": (*BAD_WORDS, "vmm.config_strict=yes")}
        reason = "the configuration has errors (listed above)"
    with ScreenMachine(f"refusals-{case}", guest=grub_disk, **options) as m:
        m.expect_screen(QUESTION.format("continue"), 30)
        screen = squeeze(m.screen())
        assert squeeze(NOT_STARTED + reason) in screen
        assert screen.count(squeeze(NOT_STARTED)) == 1
        if case == "strict":
            for message in BAD_MESSAGES:
                assert squeeze(message) in screen
        m.key("x")
        m.key("spc")
        time.sleep(1)
        assert "grub>" not in m.text
        m.key("c")
        grub = grubdisk.Grub(m, 30)
        assert grub.command("cat (hd0,msdos1)/mark.txt") == grubdisk.MARK
        assert ram_above_1m(grub) > (options["mem"] - 2) * MIB
        assert squeeze(NOT_STARTED + reason) in squeeze(m.vmm_log())  # on the serial port as well


def test_bios_reboot_key(grub_disk):
    with ScreenMachine("refusals-reboot", guest=grub_disk, mem=64, cpu=CPUS["no-npt"][0]) as m:
        m.expect_screen(QUESTION.format("continue"), 30)
        m.key("r")
        assert m.wait_exit(10) == 0


# The configuration, what happens when nobody answers.
TIMEOUTS = {
    "auto": ("vmm.config_strict=yes\nfoo=1\n", "continue"),
    "protective": ("vpn.x=1\n", "stop"),
    "protective-continue": ("vmm.on_error=continue\nvpn.x=1\n", "continue"),
    "stop": ("vmm.on_error=stop\nvmm.config_strict=yes\nfoo=1\n", "stop"),
}


@pytest.mark.parametrize("case", TIMEOUTS)
def test_bios_no_answer(sector_disk, conf, tmp_path, case):
    """After 30 seconds of the machine: the guest's disk, or nothing."""
    text, then = TIMEOUTS[case]

    def begin(text):
        return ScreenMachine(f"refusals-timeout-{case}", guest=sector_disk, mem=64, conf=conf(text), icount=FAST_TIME)

    if then == "continue":
        with begin("") as m:
            m.expect_screen(SECTOR_TEXT, 60)
            usual = sector_seconds(m, tmp_path)
    with begin(text) as m:
        m.expect_screen(QUESTION.format(then), 30)
        if then == "continue":
            m.expect_screen(SECTOR_TEXT, 60)
            # Some seconds less than 30, since the usual way contains the start of the VMM.
            assert 20 <= sector_seconds(m, tmp_path) - usual <= 31
            return
        m.expect_screen("Stopped.", 60)
        m.key("c")
        assert not ends(m, 2) and SECTOR_TEXT not in m.screen()
        m.key("r")
        assert m.wait_exit(10) == 0


def test_bios_missing_protection(grub_disk, conf):
    """A protection that was asked for and cannot be had is not left out silently."""
    with ScreenMachine("refusals-missing", guest=grub_disk, mem=64, conf=conf("vmm.iommu=on\n")) as m:
        screen = squeeze(m.expect_screen(QUESTION.format("stop"), 30))
        assert squeeze(f"{NOT_STARTED}vmm.iommu=on is set, and DMA cannot be confined (no IOMMU)") in screen
        m.key("c")
        assert ram_above_1m(grubdisk.Grub(m, 30)) > 62 * MIB


def test_bios_iommu_guest(grub_disk, conf):
    """The IOMMU left to the guest: no question, but it is said what that means."""
    with Machine("refusals-iommu", guest=grub_disk, mem=64, conf=conf("vmm.iommu=guest\n")) as m:
        grubdisk.Grub(m, 60)
        assert "DMA is not confined (vmm.iommu=guest): devices can reach the VMM's memory" in m.vmm_log()
        assert NOT_STARTED not in m.vmm_log()


def test_bios_protective_answer(grub_disk, conf):
    """A bad entry of a protective key: the question, and c goes on nevertheless."""
    with ScreenMachine("refusals-protective", guest=grub_disk, mem=64, conf=conf("vmm.iommu=maybe\n")) as m:
        screen = squeeze(m.expect_screen(QUESTION.format("stop"), 30))
        assert squeeze('bitvisor.conf:1:11: vmm.iommu: "maybe" is no value of this key; valid: on or guest') in screen
        m.key("c")
        grubdisk.Grub(m, 30)


def test_bios_bad_entries(grub_disk, conf):
    """Other bad entries are reported and dropped, and the VMM starts."""
    with Machine("refusals-dropped", guest=grub_disk, mem=64, conf=conf(BAD_CONF), words=BAD_WORDS) as m:
        grub = grubdisk.Grub(m, 60)
        assert ram_above_1m(grub) < (64 - 16) * MIB
        log = m.vmm_log()
        for message in BAD_MESSAGES:
            assert message in log
        assert NOT_STARTED not in log


def test_bios_bare_linux(request):
    """After c the operating system runs natively: it sees AMD-V, which a guest does not, and all CPUs."""
    if request.config.getoption("--as-bare"):
        pytest.skip("nothing refuses without the VMM")
    with ScreenMachine("refusals-linux", cpus=2, words=("vmm.config_strict=yes", "foo=1")) as m:
        m.expect_screen(QUESTION.format("continue"), 30)
        m.key("c")
        m.boot()
        assert m.status("grep -qw svm /proc/cpuinfo")[0] == 0
        checks.cpus_online(m)
        checks.disk_reads_back(m)


def test_uefi_shell(tmp_path, machine):  # noqa: F811
    """From the shell: the reason, an error status, at once, and no memory is lost."""
    cpu, reason = CPUS["no-npt"]
    commands = {"\\v\\loadvmm.efi": reason,
                "\\c\\loadvmm.efi vmm.config_strict=yes vmm.startup=x foo": "the configuration has errors (listed above)",
                "\\v\\loadvmm.efi vpn.x=3": "the configuration has errors (listed above)"}
    disk = fat(tmp_path / "disk.img", {
        "startup.nsh": script("memmap", *commands, "memmap"),
        "v/loadvmm.efi": LOADER, "v/bitvisor.elf": ELF,
        "c/loadvmm.efi": LOADER, "c/bitvisor.elf": ELF, "c/bitvisor.conf": BAD_CONF})
    m = machine([disk], cpus=2, cpu=cpu)
    results = sections(m.wait(), len(commands) + 2)
    for (output, status), (command, message) in zip(results[1:], commands.items()):
        assert NOT_STARTED + message in output
        assert output.count(NOT_STARTED) == 1
        assert "Press" not in output and "press" not in output
        assert status & 0xff == 1  # EFI_LOAD_ERROR
        if command.startswith("\\c"):
            for text in BAD_MESSAGES:
                assert text in output
    assert reserved_pages(results[0][0]) == reserved_pages(results[-1][0])


def boot_option_disks(tmp_path, built, conf):  # noqa: F811
    loader = fat(tmp_path / "loader.img", {"EFI/BOOT/BOOTX64.EFI": LOADER, "EFI/BOOT/bitvisor.elf": ELF,
                                           "EFI/BOOT/bitvisor.conf": conf})
    return [loader, fat(tmp_path / "os.img", {"EFI/BOOT/BOOTX64.EFI": built / "nextos.efi"})]


@pytest.mark.parametrize("conf,cpu,then", [("vmm.on_error=auto\n", "no-vmx", "continue"), ("vpn.x=1\n", "no-npt", "stop")],
                         ids=["auto", "protective"])
def test_uefi_boot_option(built, tmp_path, machine, conf, cpu, then):  # noqa: F811
    """As a boot option: the reason once, one question, the next system after c."""
    reason = CPUS[cpu][1] if then == "continue" else "the configuration has errors (listed above)"
    m = machine(boot_option_disks(tmp_path, built, conf), cpu=CPUS[cpu][0], bootindex=True)
    text = m.wait("press c to continue")
    assert text.count(NOT_STARTED) == 1 and NOT_STARTED + reason in text
    assert ("continues after 30 seconds" in text) == (then == "continue")
    m.key("x")
    time.sleep(1)
    assert "NEXTOS" not in m.text()
    m.key("c")
    assert "NEXTOS" in m.wait()


def test_uefi_reboot_key(built, tmp_path, machine):  # noqa: F811
    m = machine(boot_option_disks(tmp_path, built, ""), cpu=CPUS["no-svm"][0], bootindex=True)
    assert NOT_STARTED + CPUS["no-svm"][1] in m.wait("press c to continue")
    m.key("r")
    assert "NEXTOS" not in m.wait()  # the machine ends at its reset


EFI_MACHINE = NOT_STARTED + "this is an EFI machine. Start loadvmm.efi instead (chainloader). Press r to reboot."


@pytest.fixture
def grub_on_efi(tmp_path):
    """grub_on_efi(command, *modules) -> a disk whose GRUB, for UEFI, runs this command with the VMM."""
    def make(command, *modules):
        config = f"regexp --set=1:dev '^\\(([^)]*)\\)' \"$cmdpath\"\nset root=$dev\n{command} /bitvisor.elf\nboot\n"
        (tmp_path / "grub.cfg").write_text(config)
        media.run("grub-mkimage", "-O", "x86_64-efi", "-o", str(tmp_path / "grub.efi"), "-c", str(tmp_path / "grub.cfg"), "-p", "/none",
                  *"regexp fat normal boot".split(), command, *modules)
        return str(fat(tmp_path / "disk.img", {"EFI/BOOT/BOOTX64.EFI": tmp_path / "grub.efi", "bitvisor.elf": ELF}))

    return make


def restarts_by_key(m):
    m.key("c")
    assert not ends(m, 1)
    m.key("r")
    assert m.wait_exit(30) == 0


# Of the firmware's video driver GRUB asks 32 bits a pixel, as on a PC; with its own for QEMU's card it takes 24.
@pytest.mark.parametrize("driver", ["efi_gop", "video_bochs"])
def test_uefi_multiboot(tmp_path, grub_on_efi, driver):
    """GRUB's multiboot on an EFI machine: no text screen there, so the frame buffer says what to do; r restarts."""
    dump = str(tmp_path / "screen.ppm")
    with ScreenMachine(f"refusals-efi-multiboot-{driver}", fw="uefi-bootopt", bare=True, guest=grub_on_efi("multiboot", driver),
                       mem=256, net="none") as m:
        def screen():
            m.monitor.command("screendump", filename=dump)
            try:
                return "\n".join(screen_text(dump))
            except AssertionError:  # grey: still the firmware's
                return ""

        end = time.monotonic() + 60
        while "rtoreboot." not in (text := squeeze(screen())):
            assert time.monotonic() < end and m._read(1), text
            time.sleep(1)
        assert squeeze(EFI_MACHINE) in text
        restarts_by_key(m)


def test_uefi_multiboot2(grub_on_efi):
    """GRUB's multiboot2 gives no frame buffer: the firmware's console says what to do."""
    with ScreenMachine("refusals-efi-multiboot2", fw="uefi-bootopt", bare=True, guest=grub_on_efi("multiboot2", "efi_gop"),
                       mem=256, net="none") as m:
        m.expect(r"r\s+to\s+reboot\.", 60)
        assert squeeze(EFI_MACHINE) in squeeze(re.sub(r"\x1b\[[0-9;=]*[A-Za-z]", "", m.text))
        restarts_by_key(m)


@pytest.mark.parametrize("model, reason", [("core2_penryn_t9600", "EPT"), ("corei5_lynnfield_750", "unrestricted guest")])
def test_bochs_models(request, model, reason):
    """VT-x that lacks what the VMM needs: the reason is told, and the question asked."""
    if request.config.getoption("--as-bare"):
        pytest.skip("needs the VMM")
    with Machine(f"refusals-{model}", emu="bochs", cpu=model, mem=256, net="none") as m:
        end = time.monotonic() + 120
        while "Press c to continue" not in (log := m.vmm_log()):
            assert time.monotonic() < end and m._read(1), log
        assert NOT_STARTED + f"the CPU has no {reason}\n" in log.replace("\r", "")
