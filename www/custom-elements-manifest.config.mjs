// custom-elements-manifest.config.mjs — dist/custom-elements.json: what editors and tools learn of the elements. The analyzer reads
// the comments of their classes; what is left out here is for the elements' own parts.

/** Beside attributes: properties and methods for the page around an element. */
const PUBLIC = ["scorer", "error", "collection", "add"];
/** What lit watches beside attributes. */
const STATE = ["error", "question"];
const ENTRIES = { "src/elements/tsp-score.js": "dist/score.js", "src/elements/tsp-gallery.js": "dist/gallery.js" };

export default {
  globs: Object.keys(ENTRIES),
  outdir: "dist",
  litelement: true,
  plugins: [{
    name: "public-interface",
    packageLinkPhase({ customElementsManifest: manifest }) {
      for (const module of manifest.modules) {
        module.path = ENTRIES[module.path];
        for (const declaration of module.declarations) {
          // The analyzer takes all that lit watches for attributes.
          declaration.attributes = declaration.attributes.filter(({ name }) => !STATE.includes(name));
          const attributes = declaration.attributes.map(({ fieldName, name }) => fieldName ?? name);
          declaration.members = declaration.members.filter(({ name }) => attributes.includes(name) || PUBLIC.includes(name));
          // And the argument of their one method that sends events for another event.
          declaration.events = declaration.events.filter(({ name }) => name !== "type");
        }
        for (const { declaration } of module.exports) declaration.module = module.path;
        const [{ name, tagName }] = module.declarations;
        module.exports.push({ kind: "custom-element-definition", name: tagName, declaration: { name, module: module.path } });
      }
    },
  }],
};
