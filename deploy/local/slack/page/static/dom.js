// Builds elements. Text always becomes a text node: nothing that people write is ever read as HTML.

export function h(tag, attributes = {}, ...children) {
  const element = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" && "value" in element) element.value = value;
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function replaceChildren(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

// Shows items in a container, keeping the nodes of those that did not change. Items: {key, version, build}.
export function showItems(container, items) {
  const known = container.shownItems ?? new Map();
  const next = new Map();
  let place = container.firstChild;
  for (const item of items) {
    const before = known.get(item.key);
    let node;
    if (before && before.version === item.version) {
      node = before.node;
    } else {
      node = item.build();
      if (before) {
        if (place === before.node) place = before.node.nextSibling;
        before.node.remove();
      }
    }
    next.set(item.key, { version: item.version, node });
    if (node === place) place = place.nextSibling;
    else container.insertBefore(node, place);
  }
  for (const [key, { node }] of known) if (!next.has(key)) node.remove();
  container.shownItems = next;
}

const ICONS = {
  menu: "M3 6h18M3 12h18M3 18h18",
  close: "M6 6l12 12M18 6L6 18",
  reply: "M21 11.5a8.4 8.4 0 0 1-8.5 8.5 9 9 0 0 1-3.8-.8L3 21l1.8-5.2A8.4 8.4 0 1 1 21 11.5z",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14.5s1.3 1.8 3.5 1.8 3.5-1.8 3.5-1.8M9 9.5h.01M15 9.5h.01",
  more: "M12 6.5h.01M12 12h.01M12 17.5h.01",
  send: "M4 12l-.6-7.2c0-.8.8-1.4 1.5-1L20.4 11c.8.4.8 1.6 0 2L4.9 20.2c-.7.4-1.5-.2-1.5-1L4 12zm0 0h8",
  plus: "M12 5v14M5 12h14",
  clip: "M20 11.5l-8.3 8.3a5.3 5.3 0 0 1-7.5-7.5l8.3-8.3a3.5 3.5 0 0 1 5 5l-8.3 8.3a1.8 1.8 0 0 1-2.5-2.5l7.6-7.6",
  bold: "M7 5h6a3.5 3.5 0 0 1 0 7H7zM7 12h7a3.5 3.5 0 0 1 0 7H7z",
  italic: "M14 5l-4 14M10 5h7M7 19h7",
  strike: "M5 12h14M16.5 8A4 4 0 0 0 12.5 5C9.8 5 8 6.3 8 8.2c0 1 .5 1.8 1.2 2.3M7.5 16a4.5 4.5 0 0 0 4.5 3c2.7 0 4.5-1.3 4.5-3.2 0-.8-.3-1.4-.7-1.9",
  code: "M9 8l-4 4 4 4M15 8l4 4-4 4",
  at: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM16 8v5.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-3.6 7.2",
  slash: "M15 4L9 20",
  sun: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M4.9 4.9l1.8 1.8M17.3 17.3l1.8 1.8M4.9 19.1l1.8-1.8M17.3 6.7l1.8-1.8",
  moon: "M20.5 14.5A8.5 8.5 0 0 1 9.5 3.5a8.5 8.5 0 1 0 11 11z",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  left: "M14.5 5.5L8 12l6.5 6.5",
  right: "M9.5 5.5L16 12l-6.5 6.5",
  down: "M6 9.5l6 6 6-6",
  hash: "M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z",
  bolt: "M13 3L5 13.5h6L10 21l8-10.5h-6L13 3z",
  pencil: "M4 20l1-4L16.5 4.5l3 3L8 19l-4 1z",
  bin: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  file: "M6 3h8l5 5v13H6zM14 3v5h5",
  check: "M5 12.5l4.5 4.5L19 7.5",
};

export function icon(name, size = 18) {
  return h("svg:svg", { viewBox: "0 0 24 24", width: size, height: size, class: `icon is-${name}`, "aria-hidden": "true" },
    h("svg:path", { d: ICONS[name] }));
}

export function iconButton(name, label, onclick, extra = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...extra },
    icon(name));
}
