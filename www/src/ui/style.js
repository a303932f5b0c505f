// @ts-check
// style.js — sets style properties from a template. Lit's own styleMap writes a style attribute at first, which a strict
// content security policy refuses.

import { noChange } from "lit";
import { Directive, directive } from "lit/directive.js";

class Style extends Directive {
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
    for (const [name, value] of Object.entries(properties)) /** @type {HTMLElement} */ (element).style.setProperty(name, value);
    return noChange;
  }
}

export const style = directive(Style);
