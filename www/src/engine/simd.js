// @ts-check
// simd.js — finds out which vector instructions of WebAssembly the browser supports, by a small module with one of them.

/** The header of a module: "\0asm", version 1. */
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** `() => i8x16.splat(0)` */
const SIMD = Uint8Array.of(
  ...HEADER,
  1, 5, 1, 0x60, 0, 1, 0x7b, // one type: () → v128
  3, 2, 1, 0, // one function of it
  10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b); // i32.const 0; i8x16.splat; end

/** `(a, b, c) => f32x4.relaxed_madd(a, b, c)` */
const RELAXED_SIMD = Uint8Array.of(
  ...HEADER,
  1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, // one type: (v128, v128, v128) → v128
  3, 2, 1, 0, // one function of it
  10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 0x02, 0x0b); // local.get 0, 1, 2; f32x4.relaxed_madd; end

/** Whether the browser supports SIMD, which all our modules need (`.cargo/config.toml`). */
export function hasSimd() {
  return typeof WebAssembly === "object" && WebAssembly.validate(SIMD);
}

/** Chooses the module for the CPU. The one with multiply-add instructions is a fifth faster. @returns {"cpu" | "cpu-relaxed"} */
export function cpuModule() {
  return WebAssembly.validate(RELAXED_SIMD) ? "cpu-relaxed" : "cpu";
}
