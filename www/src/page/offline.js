// @ts-check
// offline.js — registers the service worker, tells it which files were in use, and offers a new version when there is one.

import { cpuModule } from "../engine/simd.js";

/** @param {HTMLElement} gallery  its `banner` slot gets the offer */
export async function keepOffline(gallery) {
  if (!("serviceWorker" in navigator)) return;
  // The scorer may be ready before the service worker is.
  gallery.addEventListener("tsp-ready", async (event) => {
    const { backend } = /** @type {CustomEvent<{ backend: string }>} */ (event).detail;
    (await navigator.serviceWorker.ready).active?.postMessage({ type: "keep", module: backend === "cpu" ? cpuModule() : backend });
  });
  // Without a network the gallery still works until it is closed; a worker that cannot be had is no reason to complain.
  const registration = await navigator.serviceWorker.register("service-worker.js", { type: "module", updateViaCache: "none" }).catch(() => null);
  if (!registration) return;
  const offer = () => {
    // Without a controller it is the first visit: nothing old is running.
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
