// @ts-check
// offline.js — registers the service worker, tells it which wasm module to keep, and offers new versions of the page.

import { cpuModule } from "../engine/simd.js";

/** @param {HTMLElement} gallery  the offer goes into its slot `banner` */
export async function keepOffline(gallery) {
  if (!("serviceWorker" in navigator)) return;
  // The scorer can be ready before the service worker.
  gallery.addEventListener("tsp-ready", async (event) => {
    const { backend } = /** @type {CustomEvent<{ backend: string }>} */ (event).detail;
    (await navigator.serviceWorker.ready).active?.postMessage({ type: "keep", module: backend === "cpu" ? cpuModule() : backend });
  });
  // Without a service worker, the page works with a network only, so a failure is ignored.
  const registration = await navigator.serviceWorker.register("service-worker.js", { type: "module", updateViaCache: "none" }).catch(() => null);
  if (!registration) return;
  const offer = () => {
    // On the first visit there is no controller, and no old version.
    if (registration.waiting && navigator.serviceWorker.controller) {
      gallery.querySelector(".update")?.remove();
      gallery.append(banner(registration.waiting));
    }
  };
  offer();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", offer);
  });
}

/** @param {ServiceWorker} waiting */
function banner(waiting) {
  const made = document.createElement("p");
  made.slot = "banner";
  made.className = "update";
  const button = document.createElement("button");
  button.textContent = "Reload";
  button.onclick = () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    waiting.postMessage({ type: "take-over" });
  };
  made.append("A new version is ready. ", button);
  return made;
}
