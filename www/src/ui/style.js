// @ts-check
// style.js — sets style properties from a template. Lit's own styleMap writes a style attribute at first, which a strict
// content security policy refuses.

import { noChange } from "lit";
import { Directive, directive } from "lit/directive.js";

class Style extends Directive {
  /** What is set already: setting it again costs the browser as much. @type {Record<string, string>} */
  #set = {};

  /** @param {Record<string, string>} _properties  by their names in CSS; the same ones at each render */
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
