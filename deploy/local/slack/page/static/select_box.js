// A select with a filter, for one or several options, from a list or from an app's suggestions.
import { h, icon, replaceChildren } from "./dom.js";
import { closeMenu, place } from "./menus.js";
import { plainText } from "./mrkdwn.js";

const TYPING_PAUSE_MS = 180;

const FEW = 7;

// Whether so many options are worth a filter.
export function needsFilter(count) {
  return count > FEW;
}

// `load(query)` resolves to [{label, options: [{text: {text}, value, description}]}].
export function selectBox({ label, placeholder, multiple, chosen, load, minQuery = 0, most, hasFilter = true, onchange }) {
  let current = multiple ? [...(chosen ?? [])] : chosen ?? null;
  const shown = h("span", { class: "select-shown" });
  const button = h("button", {
    type: "button", class: "select", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-label": label,
    onclick: () => open(),
  }, shown, icon("down", 16));

  const isChosen = (option) => (multiple ? current : [current]).some((other) => other?.value === option.value);

  function paint() {
    const options = multiple ? current : current ? [current] : [];
    if (!options.length) replaceChildren(shown, h("span", { class: "muted" }, placeholder || "Choose…"));
    else if (multiple) replaceChildren(shown, options.map((option) => h("span", { class: "token" }, plainText(option.text.text))));
    else replaceChildren(shown, plainText(options[0].text.text));
    button.classList.toggle("is-empty", !options.length);
  }

  function choose(option) {
    if (!multiple) {
      current = option;
      closeMenu();
      button.focus();
    } else if (isChosen(option)) current = current.filter((other) => other.value !== option.value);
    else if (!most || current.length < most) current = [...current, option];
    paint();
    onchange(current);
  }

  function open() {
    if (button.getAttribute("aria-expanded") === "true") return closeMenu();
    const list = h("div", { class: "select-list", role: "listbox", "aria-label": label, "aria-multiselectable": String(Boolean(multiple)) });
    const filter = h("input", { class: "select-filter", type: "text", placeholder: "Search…", "aria-label": `Search ${label ?? ""}` });
    const panel = h("div", { class: "select-panel" }, hasFilter ? filter : null, list);
    panel.style.minWidth = `${Math.max(button.offsetWidth, 220)}px`;
    let timer = 0;
    let latest = 0;

    async function fill() {
      const query = filter.value.trim();
      const asked = ++latest;
      if (query.length < minQuery) return replaceChildren(list, h("div", { class: "select-note" }, "Type to search"));
      if (!list.childElementCount) replaceChildren(list, h("div", { class: "select-note" }, "Loading…"));
      let groups;
      try {
        groups = await load(query);
      } catch (error) {
        if (asked === latest) replaceChildren(list, h("div", { class: "select-note" }, error.message));
        return;
      }
      if (asked !== latest) return;
      const rows = groups.flatMap((group) => [
        group.label ? h("div", { class: "menu-title" }, group.label) : null,
        ...group.options.map((option) => h("button", {
          type: "button", class: `select-option${isChosen(option) ? " is-on" : ""}`, role: "option", tabindex: "-1",
          "aria-selected": String(isChosen(option)),
          onclick: () => {
            choose(option);
            if (multiple) fill();
          },
        }, h("span", {}, plainText(option.text.text)),
          option.description ? h("span", { class: "muted" }, option.description.text) : null,
          isChosen(option) ? icon("check", 16) : null)),
      ]);
      replaceChildren(list, rows.some(Boolean) ? rows : h("div", { class: "select-note" }, "No results"));
    }

    filter.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(fill, TYPING_PAUSE_MS);
    });
    panel.addEventListener("keydown", (event) => {
      const options = [...list.querySelectorAll(".select-option")];
      const at = options.indexOf(document.activeElement);
      if (event.key === "ArrowDown") (options[at + 1] ?? options[0])?.focus();
      else if (event.key === "ArrowUp") (options[at - 1] ?? (hasFilter ? filter : options.at(-1)))?.focus();
      else if (event.key === "Enter" && document.activeElement === filter) options[0]?.click();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    place(panel, button, "left", () => button.focus());
    button.setAttribute("aria-expanded", "true");
    panel.addEventListener("closed", () => button.setAttribute("aria-expanded", "false"));
    if (hasFilter) filter.focus();
    fill().then(() => hasFilter || (list.querySelector(".is-on") ?? list.querySelector(".select-option"))?.focus());
  }

  paint();
  return button;
}
