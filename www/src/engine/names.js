// @ts-check
// names.js — converts the names of a result's fields: snake_case in files and in the wasm module, camelCase in JavaScript.

/**
 * Returns the object with names in camelCase, at all depths. Names in camelCase stay unchanged.
 * @param {any} value
 * @returns {any}
 */
export function camelCase(value) {
  return renamed(value, (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()));
}

/**
 * Returns the object with names in snake_case, at all depths.
 * @param {any} value
 * @returns {any}
 */
export function snakeCase(value) {
  return renamed(value, (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/**
 * @param {any} value
 * @param {(name: string) => string} rename
 * @returns {any}
 */
function renamed(value, rename) {
  if (Array.isArray(value)) return value.map((part) => renamed(part, rename));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [rename(name), renamed(part, rename)]));
}
