// Hides from a process the vector instructions beyond a set, for libraries that have no switch for it: to be preloaded with
// CPUID_SET=avx2, avxvnni, avx512 or vnni. Linux makes the CPUID instruction fault, and the fault is answered here. Prints
// nothing and hides nothing where the processor has no faulting CPUID (Linux: /proc/cpuinfo, cpuid_fault).

#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define BIT(n) (1u << (n))

struct registers { uint32_t a, b, c, d; };

// Bits to clear of leaf 7, subleaves 0 and 1 (Intel, Software Developer's Manual, volume 2A, CPUID).
static struct registers hidden[2];

static void hide(const char *set) {
  int is_512 = !strcmp(set, "avx512") || !strcmp(set, "vnni");
  // AMX: BF16, TILE and INT8; FP16 and COMPLEX.
  hidden[0].d |= BIT(22) | BIT(24) | BIT(25);
  hidden[1].a |= BIT(21);
  hidden[1].d |= BIT(8);
  if (!is_512) { // AVX-512: F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS, VP2INTERSECT, FP16; AVX10.
    hidden[0].b |= BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31);
    hidden[0].c |= BIT(1) | BIT(6) | BIT(12) | BIT(14);
    hidden[0].d |= BIT(2) | BIT(3) | BIT(8) | BIT(23);
    hidden[1].d |= BIT(19);
  }
  if (strcmp(set, "vnni")) { // AVX512-VNNI and AVX512-BF16.
    hidden[0].c |= BIT(11);
    hidden[1].a |= BIT(5);
  }
  if (strcmp(set, "avxvnni")) // AVX-VNNI.
    hidden[1].a |= BIT(4);
  // AVX-IFMA; AVX-VNNI-INT8, AVX-NE-CONVERT and AVX-VNNI-INT16.
  hidden[1].a |= BIT(23);
  hidden[1].d |= BIT(4) | BIT(5) | BIT(10);
}

static void answer(int signal_number, siginfo_t *info, void *context) {
  (void)info;
  greg_t *at = ((ucontext_t *)context)->uc_mcontext.gregs;
  const uint8_t *code = (const uint8_t *)at[REG_RIP];
  if (code[0] != 0x0f || code[1] != 0xa2) { // Another fault, which happens again.
    signal(signal_number, SIG_DFL);
    return;
  }
  uint32_t leaf = at[REG_RAX], subleaf = at[REG_RCX];
  struct registers found;
  syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
  __asm__ volatile("cpuid" : "=a"(found.a), "=b"(found.b), "=c"(found.c), "=d"(found.d) : "a"(leaf), "c"(subleaf));
  syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
  if (leaf == 7 && subleaf < 2) {
    found.a &= ~hidden[subleaf].a;
    found.b &= ~hidden[subleaf].b;
    found.c &= ~hidden[subleaf].c;
    found.d &= ~hidden[subleaf].d;
  }
  at[REG_RAX] = found.a;
  at[REG_RBX] = found.b;
  at[REG_RCX] = found.c;
  at[REG_RDX] = found.d;
  at[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
  const char *set = getenv("CPUID_SET");
  if (!set)
    return;
  hide(set);
  struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  // New threads inherit it.
  syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
}
