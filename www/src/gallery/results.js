// @ts-check
// results.js — scores that outlive the visit: IndexedDB, or memory where that cannot be had.
export class Results {
  /**
   * Never rejects: without a database the results live in memory, and `onNotice` hears why.
   * @param {{ name?: string, limit?: number, onNotice?: (message: string) => void }} [options]
   * @returns {Promise<Results>}
   */
  static async open(options) { throw new Error(`not yet: ${options}`); }
  /** How many results are kept. @returns {Promise<number>} */
  async count() { throw new Error("not yet"); }
  /** Forgets all results, marks and typed prompts. @returns {Promise<void>} */
  async clear() { throw new Error("not yet"); }
  close() { throw new Error("not yet"); }
}
