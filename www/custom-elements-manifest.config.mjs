// custom-elements-manifest.config.mjs — writes dist/custom-elements.json, which describes the elements for editors and tools. The
// analyzer reads the comments of their classes; internal members are removed here.

/** Public properties and methods that are not attributes. */
const PUBLIC = ["scorer", "error", "collection", "add"];
/** Reactive properties that are not attributes. */
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
          // The analyzer lists all reactive properties as attributes.
          declaration.attributes = declaration.attributes.filter(({ name }) => !STATE.includes(name));
          const attributes = declaration.attributes.map(({ fieldName, name }) => fieldName ?? name);
          declaration.members = declaration.members.filter(({ name }) => attributes.includes(name) || PUBLIC.includes(name));
          // It also lists the parameter of the method that sends events.
          declaration.events = declaration.events.filter(({ name }) => name !== "type");
        }
        for (const { declaration } of module.exports) declaration.module = module.path;
        const [{ name, tagName }] = module.declarations;
        module.exports.push({ kind: "custom-element-definition", name: tagName, declaration: { name, module: module.path } });
      }
    },
  }],
};
