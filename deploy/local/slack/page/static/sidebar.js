// The left side: the workspace, its channels, direct messages, the app.
import { avatar } from "./avatar.js";
import { h, icon, iconButton, replaceChildren } from "./dom.js";
import { showMenu, toast } from "./menus.js";

export class Sidebar {
  constructor(store, { open, close }) {
    this.store = store;
    this.actions = { open, close };
    this.element = h("nav", { class: "sidebar", "aria-label": "Channels" });
  }

  paint(current) {
    const { store } = this;
    const channels = [...store.channels.values()].filter((channel) => !channel.is_im).sort((one, other) => one.name.localeCompare(other.name));
    const direct = [...store.channels.values()].filter((channel) => channel.is_im);
    const app = direct.find((channel) => channel.user === store.app.bot_user_id);
    const people = [...store.members.values()].filter((member) => !member.is_bot && member.id !== store.me);
    const shortcuts = store.app.shortcuts.filter((shortcut) => shortcut.type === "global");
    replaceChildren(this.element,
      h("div", { class: "sidebar-head" }, h("h1", {}, store.team.name),
        shortcuts.length ? iconButton("bolt", "Shortcuts", (event) => this.shortcuts(event.currentTarget, shortcuts)) : null,
        iconButton("close", "Close the list", () => this.actions.close(), { class: "icon-button only-small" })),
      h("div", { class: "sidebar-scroll" },
        group("Channels", channels.map((channel) => this.entry(channel, current, icon(channel.is_private ? "lock" : "hash", 16), channel.name))),
        group("Direct messages", people.map((member) => {
          const channel = direct.find((other) => other.user === member.id);
          const target = channel ?? { id: `@${member.name}`, unread: 0 };
          return this.entry(target, current, avatar(member, 20), member.real_name, member.is_restricted ? "guest" : "");
        })),
        app ? group("Apps", [this.entry(app, current, avatar(store.member(app.user), 20), store.nameOf(app.user))]) : null),
      h("div", { class: "sidebar-foot" }, h("span", { class: `live ${store.connection}` }),
        store.connection === "live" ? "Live" : "Connecting again…"));
  }

  entry(channel, current, sign, name, note = "") {
    const isCurrent = channel.id === current;
    const isUnread = channel.unread > 0 && !isCurrent;
    const isOutside = channel.kind === "public" && !channel.members.includes(this.store.me);
    return h("a", {
      class: `sidebar-entry${isCurrent ? " is-current" : ""}${isUnread ? " is-unread" : ""}${isOutside ? " is-outside" : ""}`,
      href: `#/${channel.id}`, "aria-current": isCurrent ? "page" : null,
      onclick: (event) => {
        event.preventDefault();
        this.actions.open(channel.id);
      },
    }, sign, h("span", { class: "sidebar-name" }, name), note ? h("span", { class: "sidebar-note" }, note) : null,
    isUnread ? h("span", { class: "unread", "aria-label": `${channel.unread} unread` }, String(channel.unread)) : null);
  }

  shortcuts(anchor, shortcuts) {
    showMenu(anchor, [{ title: "Shortcuts" }, ...shortcuts.map((shortcut) => ({
      label: shortcut.name, hint: shortcut.description, icon: icon("bolt"),
      onchoose: async () => {
        const outcome = await this.store.api.send("/shortcuts", { callback_id: shortcut.callback_id }).catch((error) => ({ ok: false, error: error.message }));
        if (!outcome.ok) toast(`${this.store.app.name} didn't answer (${outcome.error}).`);
      },
    }))], { label: "Shortcuts" });
  }
}

function group(title, entries) {
  return h("section", {}, h("h2", {}, title), entries);
}
