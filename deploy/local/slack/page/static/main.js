// Puts the page together and keeps it up to date. The address says who acts (?as=) and what is open (#/channel/message/thread).
import { Api } from "./api.js";
import { avatar } from "./avatar.js";
import { Composer, joinBar } from "./composer.js";
import { h, icon, iconButton, replaceChildren } from "./dom.js";
import { closeMenu, showMenu } from "./menus.js";
import { MessageList } from "./messages.js";
import { homeTab, Modals } from "./modal.js";
import { Sidebar } from "./sidebar.js";
import { Store } from "./store.js";

const app = document.getElementById("app");

class Page {
  constructor(store) {
    this.store = store;
    this.names = {
      me: store.me,
      member: (id) => store.member(id),
      channel: (id) => store.channel(id),
      openChannel: (id) => this.open(id),
    };
    this.sidebar = new Sidebar(store, { open: (id) => this.open(id), close: () => this.showSidebar(false) });
    this.bar = h("header", { class: "top-bar" });
    this.main = h("main", { class: "channel" });
    this.pane = h("aside", { class: "thread-pane", "aria-label": "Thread", hidden: true });
    replaceChildren(app, this.bar, h("div", { class: "columns" }, this.sidebar.element,
      h("div", { class: "scrim", onclick: () => this.showSidebar(false) }), this.main, this.pane));
    this.modals = new Modals(store, this.names);
    this.tab = "messages";
    store.addEventListener("messages", ({ detail }) => this.messagesChanged(detail));
    store.addEventListener("sidebar", () => this.sidebar.paint(this.channel));
    store.addEventListener("views", () => this.tab === "home" && this.paintChannel());
    store.addEventListener("everything", () => this.paintAll());
    addEventListener("hashchange", () => this.follow());
    addEventListener("focus", () => this.channel && store.markRead(this.channel));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]") && this.thread) this.closeThread();
    });
    this.paintBar();
    this.follow();
    this.modals.paint();
  }

  paintAll() {
    if (!this.store.channel(this.channel)) return void (location.hash = "#/");
    this.paintBar();
    this.sidebar.paint(this.channel);
    this.paintChannel();
    if (this.thread) this.threadList?.paint();
  }

  paintBar() {
    const me = this.store.member(this.store.me);
    const isDark = document.documentElement.dataset.theme === "dark";
    replaceChildren(this.bar,
      iconButton("menu", "Channels", () => this.showSidebar(true), { class: "icon-button only-small" }),
      h("p", { class: "honest" }, icon("bolt", 14), h("strong", {}, "Local workspace for development"), h("span", {}, " — not Slack")),
      iconButton(isDark ? "sun" : "moon", isDark ? "Light theme" : "Dark theme", () => this.switchTheme()),
      h("button", { type: "button", class: "acting", "aria-haspopup": "menu", "aria-label": `Acting as ${me.real_name}. Switch member`,
        onclick: (event) => this.chooseMember(event.currentTarget) },
      avatar(me, 26), h("span", { class: "acting-name" }, me.real_name), icon("down", 16)));
    document.title = `${this.store.team.name} · ${me.real_name}`;
  }

  chooseMember(anchor) {
    const people = [...this.store.members.values()].filter((member) => !member.is_bot);
    showMenu(anchor, [
      { title: "Act as" },
      ...people.map((member) => ({
        label: member.real_name, hint: member.profile.title || (member.is_restricted ? "Guest" : ""), icon: avatar(member, 26),
        isOn: member.id === this.store.me, href: `/?as=${member.name}${location.hash}`, onchoose: () => actAs(member.name),
      })),
      "-",
      { title: "A middle click opens another tab as somebody else" },
    ], { align: "right", label: "Act as" });
  }

  switchTheme() {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    this.paintBar();
    this.bar.querySelector("[aria-label$=theme]").focus();
  }

  showSidebar(isShown) {
    app.classList.toggle("is-sidebar-open", isShown);
  }

  open(channel) {
    this.showSidebar(false);
    if (location.hash === `#/${channel}`) this.follow();
    else location.hash = `#/${channel}`;
  }

  // Shows what the address names.
  async follow() {
    closeMenu();
    const [, wanted, message, thread] = location.hash.split("/").map(decodeURIComponent);
    const first = [...this.store.channels.values()].find((channel) => channel.name === "design") ?? [...this.store.channels.values()][0];
    const id = wanted || first?.id;
    if (!id) return;
    if (id !== this.channel) {
      const answer = await this.store.api.get("/messages", { channel: id }).catch(() => null);
      if (!answer) return void (location.hash = `#/${first.id}`);
      if (id.startsWith("@")) {
        // A direct message that had to be made first.
        await this.store.load();
        const member = [...this.store.members.values()].find((other) => `@${other.name}` === id);
        const channel = [...this.store.channels.values()].find((other) => other.is_im && other.user === member?.id);
        return void (location.hash = `#/${channel.id}`);
      }
      this.store.keepPictures(answer);
      this.store.messages.set(id, new Map(answer.messages.map((entry) => [entry.ts, entry])));
      this.channel = id;
      this.tab = "messages";
      this.closeThread(false);
      this.buildChannel();
    }
    if (thread || (message && this.store.messages.get(id)?.get(message)?.reply_count)) await this.openThread(thread || message);
    if (message) (thread ? this.threadList : this.list)?.show(message);
  }

  buildChannel() {
    const { store } = this;
    const channel = store.channel(this.channel);
    const title = store.channelTitle(channel);
    this.list = new MessageList({ store, names: this.names, channel: this.channel, thread: null, actions: { openThread: (message) => this.openThread(message.thread_ts ?? message.ts, true) } });
    this.composer = new Composer({
      store, channel: this.channel, thread: null, placeholder: channel.is_im ? `Message ${title}` : `Message #${title}`,
      onSent: () => this.list.scrollToEnd(),
    });
    this.paintChannel();
    this.sidebar.paint(this.channel);
    this.list.isAtEnd = true;
    this.list.scrollToEnd();
    if (matchMedia("(min-width: 760px)").matches) this.composer.focus();
    store.markRead(this.channel);
    if (channel.is_im && channel.user === store.app.bot_user_id) store.api.send("/app_home", { tab: "messages" }).catch(() => {});
  }

  paintChannel() {
    const { store } = this;
    const channel = store.channel(this.channel);
    if (!channel || !this.list) return;
    const isApp = channel.is_im && channel.user === store.app.bot_user_id;
    const isOutside = channel.kind === "public" && !channel.members.includes(store.me);
    const head = h("header", { class: "channel-head" },
      h("h2", {}, channel.is_im ? avatar(store.member(channel.user), 24) : icon(channel.is_private ? "lock" : "hash"),
        h("span", {}, store.channelTitle(channel)), isApp ? h("span", { class: "app-badge" }, "APP") : null),
      isApp && store.app.has_home ? this.tabs() : h("p", { class: "muted" }, isApp ? store.app.description : channel.purpose?.value ?? ""),
      channel.is_im ? null : h("button", { type: "button", class: "members-button", "aria-label": `${channel.members.length} members`,
        onclick: (event) => this.showMembers(event.currentTarget, channel) },
      channel.members.slice(0, 3).map((id) => avatar(store.member(id), 22)), String(channel.members.length)));
    const wanted = this.tab === "home" && isApp
      ? [head, h("div", { class: "messages" }, homeTab(store, this.names))]
      : [head, this.list.element, isOutside
        ? joinBar({ store, channel, onJoined: () => store.load().then(() => this.paintAll()) })
        : this.composer.element];
    this.list.before.replaceChildren(this.beginning(channel, isApp));
    const isSame = this.main.children.length === wanted.length && [...this.main.children].every((child, index) => index === 0 || child === wanted[index]);
    if (isSame) this.main.firstChild.replaceWith(head);
    else replaceChildren(this.main, wanted);
    this.list.paint();
  }

  tabs() {
    const tab = (name, label) => h("button", { type: "button", role: "tab", class: "tab", "aria-selected": String(this.tab === name),
      onclick: () => {
        this.tab = name;
        this.store.api.send("/app_home", { tab: name }).catch(() => {});
        this.paintChannel();
      } }, label);
    return h("div", { class: "tabs", role: "tablist" }, tab("home", "Home"), tab("messages", "Messages"));
  }

  // The beginning of a channel, with something to try.
  beginning(channel, isApp) {
    const { store } = this;
    const title = channel.is_im ? store.channelTitle(channel) : `#${channel.name}`;
    const examples = store.app.commands.map((entry) => example(entry)).filter(Boolean).slice(0, 3);
    const isHere = channel.is_im ? isApp : channel.members.includes(store.app.bot_user_id);
    const ways = isHere || channel.is_im ? examples : [`/invite @${store.member(store.app.bot_user_id).name}`];
    return h("div", { class: "beginning" },
      h("div", { class: "beginning-sign", "aria-hidden": "true" }, channel.is_im ? avatar(store.member(channel.user), 56) : icon("hash", 30)),
      h("h3", {}, channel.is_im ? title : `Welcome to ${title}`),
      h("p", { class: "muted" }, channel.is_im
        ? isApp ? store.app.description : `This is between you and ${title}.`
        : `${channel.purpose?.value ? `${channel.purpose.value}. ` : ""}This is where ${title} begins.`),
      ways.length && (!channel.is_im || isApp) ? h("div", { class: "try" },
        h("span", { class: "muted" }, isHere ? "Type this, or press it:" : `${store.app.name} isn't in this channel yet. Add it:`),
        ways.map((text) => h("button", { type: "button", class: "try-chip", onclick: () => this.composer.fill(text) }, text)),
        isHere && !channel.is_im ? h("span", { class: "muted" }, "In a thread, mention ",
          h("strong", {}, `@${store.member(store.app.bot_user_id).name}`), " instead.") : null) : null);
  }

  showMembers(anchor, channel) {
    showMenu(anchor, [
      { title: `Members of #${channel.name}` },
      ...channel.members.map((id) => this.store.member(id)).filter(Boolean).map((member) => ({
        label: member.real_name, hint: member.is_bot ? "App" : member.profile.title, icon: avatar(member, 24),
        onchoose: () => member.id !== this.store.me && this.open(`@${member.name}`),
      })),
    ], { align: "right", label: "Members" });
  }

  async openThread(ts, isFocused = false) {
    const { store } = this;
    await store.loadThread(this.channel, ts);
    this.thread = ts;
    const channel = store.channel(this.channel);
    this.threadList = new MessageList({ store, names: this.names, channel: this.channel, thread: ts, actions: { openThread: () => {} } });
    this.threadComposer = new Composer({ store, channel: this.channel, thread: ts, placeholder: "Reply…", onSent: () => this.threadList.scrollToEnd() });
    replaceChildren(this.pane,
      h("header", { class: "channel-head" }, h("h2", {}, "Thread"),
        h("p", { class: "muted" }, channel.is_im ? store.channelTitle(channel) : `#${channel.name}`),
        iconButton("close", "Close thread", () => this.closeThread())),
      this.threadList.element, this.threadComposer.element);
    this.pane.hidden = false;
    app.classList.add("has-thread");
    this.threadList.paint();
    if (isFocused) this.threadComposer.focus();
  }

  closeThread(isFocused = true) {
    this.store.threads.delete(this.thread);
    this.thread = null;
    this.pane.hidden = true;
    app.classList.remove("has-thread");
    if (isFocused) this.composer?.focus();
  }

  messagesChanged({ channel, thread, isNew }) {
    if (channel === this.channel) {
      this.list?.paint();
      if (isNew && document.hasFocus()) this.store.markRead(channel);
    }
    if (this.thread && (thread === this.thread || this.store.threads.get(this.thread)?.has(thread))) this.threadList.paint();
  }
}

// A command that a newcomer can run as it stands: the usage hint without its optional parts.
function example({ command, usage_hint: hint }) {
  const plain = hint.replace(/\[[^\]]*\]/g, "").replace(/\s+/g, " ").trim();
  return /[<>|{}]/.test(plain) ? command : `${command} ${plain}`.trim();
}

function actAs(name) {
  sessionStorage.setItem("as", name);
  location.href = `/?as=${encodeURIComponent(name)}${location.hash}`;
}

async function start() {
  const name = new URLSearchParams(location.search).get("as") ?? sessionStorage.getItem("as") ?? "ada";
  sessionStorage.setItem("as", name);
  const api = new Api(name);
  const store = new Store(api);
  store.uploads = new Map();
  try {
    await store.load();
  } catch (error) {
    if (name !== "ada" && error.code === "user_not_found") return actAs("ada");
    return void replaceChildren(app, h("div", { class: "failed" }, h("h1", {}, "The workspace doesn't answer"), h("p", {}, error.message),
      h("button", { type: "button", class: "button is-primary", onclick: () => location.reload() }, "Try again")));
  }
  const page = new Page(store);
  const source = api.stream(store.number, {
    onChange: (change) => store.apply(change),
    onReset: () => store.reload(),
    onState: (state) => {
      store.connection = state;
      page.sidebar.paint(page.channel);
    },
  });
  addEventListener("pagehide", () => source.close());
}

start();
