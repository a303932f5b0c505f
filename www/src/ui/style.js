// @ts-check
// style.js — a directive that sets style properties. Lit's styleMap first writes a style attribute, which a strict content security
// policy forbids.

import { noChange } from "lit";
import { Directive, directive } from "lit/directive.js";

class Style extends Directive {
  /** The current values. Setting the same value again would take as long. @type {Record<string, string>} */
  #set = {};

  /** @param {Record<string, string>} _properties  values by CSS name; with the same names in each rendering */
  render(_properties) {
    return noChange;
  }

  /**
   * @param {import("lit/directive.js").ElementPart} part
   * @param {[Record<string, string>]} properties
   * @override
   */
  update({ element }, [properties]) {
    for (const [name, value] of Object.entries(properties)) {
      if (this.#set[name] === value) continue;
      this.#set[name] = value;
      /** @type {HTMLElement} */ (element).style.setProperty(name, value);
    }
    return noChange;
  }
}

export const style = directive(Style);
