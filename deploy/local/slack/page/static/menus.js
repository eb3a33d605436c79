// What lies over the page: menus, questions, short notices.
import { append, h, replaceChildren } from "./dom.js";

let openMenu = null;

export function closeMenu() {
  openMenu?.close();
}

// A menu at an anchor. Entries: {label, hint, icon, onchoose, isDanger, isOn, href, html} or {title} or "-".
export function showMenu(anchor, entries, { align = "left", label = "Menu" } = {}) {
  closeMenu();
  const menu = h("div", { class: "menu", role: "menu", "aria-label": label });
  for (const entry of entries) {
    if (entry === "-") menu.append(h("div", { class: "menu-line", role: "separator" }));
    else if (entry.title) menu.append(h("div", { class: "menu-title" }, entry.title));
    else menu.append(menuEntry(entry));
  }
  place(menu, anchor, align, () => anchor.focus?.());
  const items = [...menu.querySelectorAll(".menu-entry")];
  items[0]?.focus();
  menu.addEventListener("keydown", (event) => {
    const at = items.indexOf(document.activeElement);
    if (event.key === "ArrowDown") items[(at + 1) % items.length]?.focus();
    else if (event.key === "ArrowUp") items[(at - 1 + items.length) % items.length]?.focus();
    else return;
    event.preventDefault();
  });
  return menu;
}

function menuEntry(entry) {
  const attributes = {
    class: `menu-entry${entry.isDanger ? " is-danger" : ""}${entry.isOn ? " is-on" : ""}`,
    role: "menuitem", tabindex: "-1",
    onclick: (event) => {
      if (entry.href && (event.ctrlKey || event.metaKey)) return;
      if (entry.href && entry.onchoose) event.preventDefault();
      closeMenu();
      entry.onchoose?.();
    },
  };
  const inside = [entry.icon, h("span", { class: "menu-label" }, entry.label),
    entry.hint ? h("span", { class: "menu-hint" }, entry.hint) : null];
  return entry.href ? h("a", { ...attributes, href: entry.href, target: entry.target }, inside)
    : h("button", { ...attributes, type: "button" }, inside);
}

// Puts a floating element at an anchor, above or below, inside the window; closes on Escape and on a click elsewhere.
export function place(floating, anchor, align = "left", onEscape = () => {}) {
  closeMenu();
  floating.classList.add("floating");
  (anchor.closest("dialog") ?? document.body).append(floating);
  const box = anchor.getBoundingClientRect();
  const width = floating.offsetWidth;
  const height = floating.offsetHeight;
  const left = align === "right" ? box.right - width : box.left;
  const below = box.bottom + 4;
  const top = below + height > innerHeight - 8 && box.top - height - 4 > 8 ? box.top - height - 4 : below;
  floating.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  floating.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
  const onPointer = (event) => {
    if (!floating.contains(event.target) && !anchor.contains(event.target)) handle.close();
  };
  const onKey = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    handle.close();
    onEscape();
  };
  const handle = {
    close() {
      document.removeEventListener("pointerdown", onPointer, true);
      document.removeEventListener("keydown", onKey, true);
      floating.remove();
      if (openMenu === handle) openMenu = null;
      floating.dispatchEvent(new Event("closed"));
    },
  };
  document.addEventListener("pointerdown", onPointer, true);
  document.addEventListener("keydown", onKey, true);
  openMenu = handle;
  return handle;
}

// A question in a dialog; resolves to true when it was confirmed.
export function confirmWith({ title, text, confirm, deny, isDanger }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "confirm", "aria-label": title });
    const answer = (value) => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    append(dialog, [
      h("h2", {}, title),
      h("div", { class: "confirm-text" }, text),
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", class: "button", onclick: () => answer(false) }, deny),
        h("button", { type: "button", class: `button ${isDanger ? "is-danger-full" : "is-primary"}`, autofocus: true,
          onclick: () => answer(true) }, confirm)),
    ]);
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      answer(false);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

let toastTimer = 0;

export function toast(text) {
  let box = document.querySelector(".toast");
  if (!box) document.body.append((box = h("div", { class: "toast", role: "status", "aria-live": "polite" })));
  (document.querySelector("dialog[open]:last-of-type") ?? document.body).append(box);
  replaceChildren(box, text);
  box.classList.add("is-shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.classList.remove("is-shown"), 4500);
}
