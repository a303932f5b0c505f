// @ts-check
// overlay.js — the heat map: the coarse quality of crops, drawn over the image. Where crops overlap, their mean is shown.

import { SCALE } from "../gallery/view.js";

/** @typedef {import("../engine/protocol.js").Patch} Patch */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Draws the crops. Returns the lowest and the highest value, on the scale of 0 to 5.
 * @param {SVGSVGElement} svg
 * @param {{ width: number, height: number }} image
 * @param {Patch[]} patches
 */
export function drawPatches(svg, image, patches) {
  svg.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
  const cells = cellsOf(patches);
  const values = cells.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  svg.replaceChildren(...cells.map(({ x, y, width, height, value, count }) => {
    const cell = document.createElementNS(SVG, "rect");
    for (const [name, size] of Object.entries({ x, y, width, height })) cell.setAttribute(name, String(size));
    // Colours are relative to this image, because its crops have similar values. The legend shows the numbers.
    cell.style.setProperty("--level", `${high > low ? ((value - low) / (high - low)) * 100 : 50}%`);
    const title = document.createElementNS(SVG, "title");
    title.textContent = `${value.toFixed(2)} of 5, ${count === 1 ? "one crop" : `mean of ${count} crops`}`;
    cell.append(title);
    return cell;
  }));
  return { low, high };
}

/** The plane cut along all edges of the crops, where at least one crop lies. @param {Patch[]} patches */
function cellsOf(patches) {
  const xs = cuts(patches.flatMap(({ x, width }) => [x, x + width]));
  const ys = cuts(patches.flatMap(({ y, height }) => [y, y + height]));
  return ys.slice(1).flatMap((bottom, row) =>
    xs.slice(1).flatMap((right, column) => {
      const [x, y] = [xs[column], ys[row]];
      const covering = patches.filter(
        (patch) => patch.x <= x && right <= patch.x + patch.width && patch.y <= y && bottom <= patch.y + patch.height,
      );
      if (covering.length === 0) return [];
      const value = covering.reduce((total, { p }) => total + quality(p), 0) / covering.length;
      return [{ x, y, width: right - x, height: bottom - y, value, count: covering.length }];
    }),
  );
}

/** @param {number[]} edges */
function cuts(edges) {
  return [...new Set(edges)].sort((a, b) => a - b);
}

/** The coarse quality (Eq. 5 of the paper) on the scale of 0 to 5. @param {number[]} p */
function quality(p) {
  return (SCALE / (p.length - 1)) * p.reduce((total, probability, index) => total + index * probability, 0);
}
