// The member's stack of modals: the top one is shown, with what was typed kept across updates.
import { append, h, iconButton, replaceChildren } from "./dom.js";
import { renderBlocks } from "./blocks.js";
import { closeMenu } from "./menus.js";

export class Modals {
  constructor(store, names) {
    this.store = store;
    this.names = names;
    this.given = new Map(); // view id -> {block_id: {action_id: given}}
    this.errors = new Map(); // view id -> {block_id: sentence}
    this.trouble = new Map(); // view id -> sentence
    this.dialog = null;
    this.shown = "";
    this.isBusy = false;
    store.addEventListener("views", () => this.paint());
    store.addEventListener("everything", () => this.paint());
  }

  get top() {
    return this.store.views.at(-1) ?? null;
  }

  paint(isForced = false) {
    const view = this.top;
    if (!view) {
      this.shown = "";
      this.dialog?.close();
      this.dialog?.remove();
      this.dialog = null;
      return;
    }
    const version = `${view.id} ${view.hash}`;
    if (version === this.shown && !isForced) return;
    const isNew = !this.shown.startsWith(`${view.id} `);
    this.shown = version;
    if (!this.dialog) this.open();
    const focused = this.focusedField();
    const scrolled = this.dialog.querySelector(".modal-body")?.scrollTop ?? 0;
    closeMenu();
    this.fill(view);
    this.dialog.querySelector(".modal-body").scrollTop = isNew ? 0 : scrolled;
    if (isNew) this.focusFirst();
    else this.focusAgain(focused);
  }

  open() {
    this.dialog = h("dialog", { class: "modal" });
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    this.dialog.addEventListener("close", () => {
      if (this.dialog?.open === false && this.top) this.dialog.showModal();
    });
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  fill(view) {
    this.dialog.setAttribute("aria-label", view.title.text);
    const trouble = this.trouble.get(view.id);
    const place = this.placeOf(view);
    const submit = view.submit ? h("button", {
      type: "button", class: `button is-primary modal-submit${this.isBusy ? " is-busy" : ""}`,
      disabled: view.submit_disabled || this.isBusy, onclick: () => this.submit(),
    }, view.submit.text) : null;
    replaceChildren(this.dialog,
      h("header", { class: "modal-header" },
        view.previous_view_id ? iconButton("left", "Back", () => this.close()) : null,
        h("img", { src: "/static/icon.svg", alt: "", width: 26, height: 26 }),
        h("h2", {}, view.title.text),
        iconButton("close", "Close", () => this.close(true))),
      h("div", { class: "modal-body" },
        trouble ? h("div", { class: "modal-trouble", role: "alert" }, trouble) : null,
        renderBlocks(view.blocks, place)),
      h("footer", { class: "modal-footer" },
        h("span", { class: "modal-app muted" }, this.store.app.name),
        h("button", { type: "button", class: "button", onclick: () => this.close() }, view.close?.text ?? (view.submit ? "Cancel" : "Close")),
        submit));
  }

  placeOf(view) {
    const given = this.given.get(view.id) ?? {};
    this.given.set(view.id, given);
    return {
      store: this.store, names: this.names, isForm: true, key: view.id, errors: this.errors.get(view.id),
      valueOf: (block, element) => given[block.block_id]?.[element.action_id],
      setValue: (block, element, value) => {
        (given[block.block_id] ??= {})[element.action_id] = value;
      },
      act: (block, element, value) => this.store.api.send("/actions", {
        view_id: view.id, block_id: block.block_id, action_id: element.action_id, value, values: this.valuesOf(view),
      }),
      suggest: (block, element, query) => this.store.api.send("/suggestions", {
        view_id: view.id, block_id: block.block_id, action_id: element.action_id, value: query,
      }),
      submit: () => this.submit(),
    };
  }

  // Only what still stands in the view: an update may have taken inputs away.
  valuesOf(view) {
    const given = this.given.get(view.id) ?? {};
    const values = {};
    for (const block of view.blocks) {
      for (const element of [block.element, block.accessory, ...(block.elements ?? [])]) {
        const value = element?.action_id && given[block.block_id]?.[element.action_id];
        if (value !== undefined && value !== "" && value !== null) (values[block.block_id] ??= {})[element.action_id] = value;
        else if (value === "") (values[block.block_id] ??= {})[element.action_id] = null;
      }
    }
    return values;
  }

  async submit() {
    const view = this.top;
    if (!view?.submit || this.isBusy) return;
    this.isBusy = true;
    this.errors.delete(view.id);
    this.trouble.delete(view.id);
    this.paint(true);
    try {
      const answer = await this.store.api.send(`/views/${view.id}/submit`, { values: this.valuesOf(view) });
      if (Object.keys(answer.errors).length) this.errors.set(view.id, answer.errors);
      else if (!answer.ok) this.trouble.set(view.id, answer.text);
      this.store.views = answer.views;
    } catch (error) {
      this.trouble.set(view.id, error.message);
    }
    this.isBusy = false;
    this.paint(true);
    if (this.errors.has(view.id)) this.dialog?.querySelector(".has-error .field, .has-error button")?.focus();
  }

  async close(isAll = false) {
    const view = this.top;
    if (!view) return;
    this.store.views = isAll ? [] : this.store.views.slice(0, -1);
    this.paint();
    await this.store.api.send(`/views/${view.id}/close`, { is_all: isAll }).catch(() => {});
  }

  focusedField() {
    const field = document.activeElement?.closest?.("[data-block]");
    if (!field || !this.dialog?.contains(field)) return null;
    return { block: field.dataset.block, start: field.selectionStart ?? null, end: field.selectionEnd ?? null };
  }

  focusFirst() {
    const field = this.dialog.querySelector("[autofocus]") ?? this.dialog.querySelector(".modal-body .field, .modal-body button");
    (field ?? this.dialog.querySelector(".modal-footer button:last-child")).focus();
  }

  focusAgain(focused) {
    if (!focused) return;
    const field = [...this.dialog.querySelectorAll("[data-block]")].find((other) => other.dataset.block === focused.block);
    field?.focus();
    if (focused.start !== null && field?.setSelectionRange && field.type !== "email") field.setSelectionRange(focused.start, focused.end);
  }
}

// The app's home tab.
export function homeTab(store, names) {
  const view = store.home;
  if (!view) {
    return append(h("div", { class: "empty" }), [h("h2", {}, store.app.name),
      h("p", {}, "This app hasn't put anything here yet.")]);
  }
  const values = {};
  const place = {
    store, names, isForm: false, key: view.id,
    valueOf: (block, element) => values[block.block_id]?.[element.action_id],
    setValue: (block, element, value) => {
      (values[block.block_id] ??= {})[element.action_id] = value;
    },
    act: (block, element, value) => store.api.send("/actions", {
      view_id: view.id, block_id: block.block_id, action_id: element.action_id, value, values,
    }),
    suggest: (block, element, query) => store.api.send("/suggestions", {
      view_id: view.id, block_id: block.block_id, action_id: element.action_id, value: query,
    }),
  };
  return h("div", { class: "home-tab" }, renderBlocks(view.blocks, place));
}
