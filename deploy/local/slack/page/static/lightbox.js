// A picture, large: with its name, a download, and the ones before and after it.
import { append, h, icon, iconButton, replaceChildren } from "./dom.js";

// `pictures`: [{url, download, name, alt, width, height}]
export function showPictures(pictures, at) {
  const dialog = h("dialog", { class: "lightbox", "aria-label": "Picture" });
  const show = (index) => {
    at = (index + pictures.length) % pictures.length;
    const picture = pictures[at];
    replaceChildren(dialog,
      h("header", {},
        h("span", { class: "lightbox-name" }, picture.name, pictures.length > 1
          ? h("span", { class: "muted" }, `  ${at + 1} of ${pictures.length}`) : null),
        picture.width ? h("span", { class: "muted" }, `${picture.width} × ${picture.height}`) : null,
        h("a", { class: "icon-button", href: picture.download, download: picture.name, "aria-label": "Download", title: "Download" },
          icon("download")),
        iconButton("close", "Close", () => dialog.close())),
      h("div", { class: "lightbox-stage", onclick: (event) => event.target === event.currentTarget && dialog.close() },
        h("img", {
          src: picture.url, alt: picture.alt, width: picture.width || null, height: picture.height || null,
          class: Math.max(picture.width, picture.height) < 400 ? "is-small" : "",
        })));
    if (pictures.length > 1) {
      append(dialog, [
        h("button", { type: "button", class: "icon-button lightbox-step is-left", "aria-label": "Previous picture",
          onclick: () => show(at - 1) }, icon("left", 26)),
        h("button", { type: "button", class: "icon-button lightbox-step is-right", "aria-label": "Next picture",
          onclick: () => show(at + 1) }, icon("right", 26)),
      ]);
    }
  };
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show(at);
  dialog.showModal();
}

export function pictureButton(picture, all, { most = 360, least = 0 } = {}) {
  const width = picture.width || most;
  const height = picture.height || most * 0.75;
  const enlarge = least ? Math.max(1, least / Math.max(width, height)) : 1;
  const scale = Math.min(enlarge, most / width, most / height);
  return h("button", {
    type: "button", class: "picture", "aria-label": `Open picture: ${picture.alt || picture.name}`,
    style: { width: `${Math.round(width * scale)}px`, aspectRatio: `${width} / ${height}` },
    onclick: () => showPictures(all(), all().findIndex((other) => other.url === picture.url)),
  }, h("img", { src: picture.url, alt: picture.alt, loading: "lazy", width, height }));
}
