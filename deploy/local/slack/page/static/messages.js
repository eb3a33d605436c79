// A list of messages: a channel's, or a thread's.
import { avatar } from "./avatar.js";
import { renderBlocks } from "./blocks.js";
import { append, h, icon, iconButton, showItems } from "./dom.js";
import { emoji, QUICK_REACTIONS } from "./emoji.js";
import { pictureButton } from "./lightbox.js";
import { place as placeFloating, showMenu, closeMenu, confirmWith, toast } from "./menus.js";
import { mrkdwn, unescapeText } from "./mrkdwn.js";
import { onThisPage } from "./store.js";

const GROUPED_SECONDS = 300;
const NEAR_END_PX = 120;

export class MessageList {
  // `actions`: openThread(message), showMember(id). `thread` is the parent's ts in a thread pane, else null.
  constructor({ store, names, channel, thread, actions }) {
    Object.assign(this, { store, names, channel, thread, actions });
    this.element = h("div", { class: "messages", role: "log", "aria-live": "polite", "aria-label": thread ? "Thread" : "Messages", tabindex: "0" });
    this.inner = h("div", { class: "messages-inner" });
    this.before = h("div", {});
    this.element.append(this.before, this.inner);
    this.values = new Map(); // message ts -> {block_id: {action_id: given}}
    this.editing = null;
    this.isAtEnd = true;
    this.element.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.element;
      this.isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    });
    new ResizeObserver(() => this.isAtEnd && this.scrollToEnd()).observe(this.inner);
  }

  get messages() {
    return this.thread ? this.store.thread(this.thread) : this.store.listOf(this.channel);
  }

  paint() {
    const items = [];
    let before = null;
    for (const message of this.messages) {
      const day = dayOf(message.ts);
      if (!before || dayOf(before.ts) !== day) {
        items.push({ key: `day ${day}`, version: day, build: () => divider(day) });
        before = null;
      }
      if (this.thread && before?.ts === this.thread && this.messages.length > 1) {
        const count = this.messages.filter((other) => other.ts !== this.thread && !other.is_ephemeral).length;
        items.push({ key: "count", version: String(count), build: () => replyCount(count) });
        before = null;
      }
      const isGrouped = Boolean(before) && canGroup(before, message);
      const status = this.statusOf(message);
      const isEdited = this.editing === message.ts;
      items.push({
        key: message.ts,
        version: JSON.stringify([message, isGrouped, status, isEdited, this.store.member(message.user)?.name]),
        build: () => this.row(message, isGrouped, status, isEdited),
      });
      before = message;
    }
    const status = this.thread ? this.store.status(this.channel, this.thread) : "";
    if (status) items.push({ key: "status", version: status, build: () => this.statusLine(status) });
    showItems(this.inner, items);
    if (this.isAtEnd) this.scrollToEnd();
  }

  scrollToEnd() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  show(ts) {
    const row = this.inner.querySelector(`[data-ts="${CSS.escape(ts)}"]`);
    if (!row) return;
    this.isAtEnd = false;
    row.scrollIntoView({ block: "center" });
    row.classList.add("is-pointed-at");
    setTimeout(() => row.classList.remove("is-pointed-at"), 2500);
  }

  statusOf(message) {
    return this.thread ? "" : this.store.status(this.channel, message.ts);
  }

  statusLine(status) {
    return h("div", { class: "status-line", role: "status" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      `${this.store.nameOf(this.store.app.bot_user_id)} ${status}`);
  }

  row(message, isGrouped, status, isEdited) {
    if (message.subtype === "channel_join") {
      return h("div", { class: "message is-system", data: { ts: message.ts } },
        avatar(this.store.member(message.user), 20), h("div", {}, mrkdwn(message.text, this.names), " ", timeOf(message)));
    }
    if (message.subtype === "tombstone") {
      return h("article", { class: "message is-gone", data: { ts: message.ts } },
        h("span", { class: "gone-sign", "aria-hidden": "true" }, icon("bin")), h("div", { class: "message-main" },
          h("div", { class: "muted" }, "This message was deleted."), this.threadLine(message, status)));
    }
    const isLocal = message.is_ephemeral;
    const body = isEdited ? this.editor(message) : this.body(message);
    const classes = ["message", isGrouped && "is-grouped", isLocal && "is-ephemeral"].filter(Boolean).join(" ");
    const name = message.username || this.store.fullNameOf(message.user);
    return h("article", { class: classes, data: { ts: message.ts }, "aria-label": `Message of ${name}` },
      isGrouped ? h("span", { class: "message-gutter" }, timeOf(message, true))
        : this.face(message),
      h("div", { class: "message-main" },
        isLocal ? h("div", { class: "ephemeral-note" }, icon("eye", 14), "Only visible to you") : null,
        message.subtype === "thread_broadcast" && !this.thread ? h("div", { class: "ephemeral-note" }, icon("reply", 14), "Replied to a thread") : null,
        isGrouped ? null : h("div", { class: "message-head" },
          h("span", { class: "message-name" }, name),
          message.bot_id ? h("span", { class: "app-badge" }, "APP") : null,
          timeOf(message)),
        body,
        this.reactions(message),
        isLocal ? h("div", { class: "ephemeral-actions" },
          h("button", { type: "button", class: "link-button", onclick: () => this.dismiss(message) }, "Dismiss")) : null,
        this.threadLine(message, status)),
      isLocal || isEdited ? null : this.toolbar(message));
  }

  face(message) {
    if (message.user === "USLACKBOT") return avatar(null);
    return avatar(this.store.member(message.user));
  }

  body(message) {
    const edited = message.edited ? h("span", { class: "muted edited" }, " (edited)") : null;
    const place = this.placeOf(message);
    const parts = [];
    if (message.blocks?.length) parts.push(h("div", { class: "message-blocks" }, renderBlocks(message.blocks, place), edited));
    else if (message.text) parts.push(h("div", { class: "message-text" }, mrkdwn(message.text, this.names), edited));
    for (const attachment of message.attachments ?? []) parts.push(this.attachment(attachment, place));
    if (message.files?.length) parts.push(this.files(message));
    return parts;
  }

  attachment(attachment, place) {
    const box = h("div", { class: "attachment" });
    if (/^#[0-9a-f]{6}$/i.test(attachment.color ?? "")) box.style.borderColor = attachment.color;
    append(box, [
      attachment.title ? h("strong", {}, String(attachment.title)) : null,
      typeof attachment.text === "string" ? h("div", {}, mrkdwn(attachment.text, this.names)) : null,
      attachment.blocks ? renderBlocks(attachment.blocks, place) : null,
    ]);
    return box;
  }

  files(message) {
    const pictures = message.files.filter((file) => file.mimetype?.startsWith("image/")).map((file) => ({
      url: onThisPage(file.url_private), download: onThisPage(file.url_private_download), name: file.title || file.name,
      alt: file.alt_txt || file.title || file.name, width: file.original_w ?? 0, height: file.original_h ?? 0,
    }));
    const others = message.files.filter((file) => !file.mimetype?.startsWith("image/"));
    const most = pictures.length > 1 ? 260 : 400;
    return h("div", { class: "files" },
      pictures.length ? h("div", { class: "picture-row" }, pictures.map((picture) => h("figure", { class: "block-image" },
        h("figcaption", {}, picture.name), pictureButton(picture, () => pictures, { most, least: 200 })))) : null,
      others.map((file) => (file.mode === "tombstone"
        ? h("div", { class: "file-chip is-gone" }, icon("bin"), "This file was deleted.")
        : !file.mimetype ? h("div", { class: "file-chip is-busy" }, icon("file"), file.name)
          : h("a", { class: "file-chip", href: onThisPage(file.url_private_download), download: file.name }, icon("file"),
            h("span", {}, h("strong", {}, file.title || file.name), h("span", { class: "muted" }, `${file.pretty_type} · ${sizeOf(file.size)}`))))));
  }

  placeOf(message) {
    const values = this.values.get(message.ts) ?? {};
    this.values.set(message.ts, values);
    const where = { channel: this.channel, ts: message.ts };
    return {
      store: this.store, names: this.names, isForm: false, key: message.ts,
      valueOf: (block, element) => values[block.block_id]?.[element.action_id],
      setValue: (block, element, value) => {
        (values[block.block_id] ??= {})[element.action_id] = value;
      },
      act: (block, element, value) => this.store.api.send("/actions", {
        ...where, block_id: block.block_id, action_id: element.action_id, value, values,
      }),
      suggest: (block, element, query) => this.store.api.send("/suggestions", {
        ...where, block_id: block.block_id, action_id: element.action_id, value: query,
      }),
    };
  }

  reactions(message) {
    if (!message.reactions?.length) return null;
    return h("div", { class: "reactions" }, message.reactions.map((reaction) => h("button", {
      type: "button", class: `reaction${reaction.users.includes(this.store.me) ? " is-mine" : ""}`,
      title: reaction.users.map((user) => this.store.nameOf(user)).join(", "),
      "aria-label": `${reaction.name}, ${reaction.count}`,
      onclick: () => this.react(message, reaction.name),
    }, h("span", {}, emoji(reaction.name) ?? `:${reaction.name}:`), String(reaction.count))));
  }

  threadLine(message, status) {
    if (this.thread) return null;
    const line = message.reply_count ? h("button", {
      type: "button", class: "thread-line", onclick: () => this.actions.openThread(message),
    },
    message.reply_users.slice(0, 4).map((user) => avatar(this.store.member(user), 22)),
    h("span", { class: "thread-count" }, message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`),
    h("span", { class: "muted" }, `Last reply ${clock(message.latest_reply)}`)) : null;
    return [line, status ? this.statusLine(status) : null];
  }

  toolbar(message) {
    const isMine = message.user === this.store.me;
    return h("div", { class: "message-tools", role: "toolbar", "aria-label": "Message actions" },
      iconButton("smile", "Add reaction", (event) => this.chooseReaction(event.currentTarget, message)),
      this.thread ? null : iconButton("reply", "Reply in thread", () => this.actions.openThread(message)),
      isMine ? iconButton("pencil", "Edit message", () => this.edit(message)) : null,
      iconButton("more", "More actions", (event) => this.moreActions(event.currentTarget, message), { "aria-haspopup": "menu" }));
  }

  moreActions(anchor, message) {
    const shortcuts = this.store.app.shortcuts.filter((shortcut) => shortcut.type === "message");
    const isMine = message.user === this.store.me;
    const canDelete = isMine || this.store.member(this.store.me)?.is_admin;
    showMenu(anchor, [
      ...(this.thread ? [] : [{ label: "Reply in thread", icon: icon("reply"), onchoose: () => this.actions.openThread(message) }]),
      { label: "Copy link", icon: icon("link"), onchoose: () => this.copyLink(message) },
      ...(message.text ? [{ label: "Copy text", icon: icon("file"), onchoose: () => copy(unescapeText(message.text)) }] : []),
      ...(isMine ? [{ label: "Edit message", icon: icon("pencil"), onchoose: () => this.edit(message) }] : []),
      ...(shortcuts.length ? ["-", { title: this.store.app.name }] : []),
      ...shortcuts.map((shortcut) => ({
        label: shortcut.name, hint: shortcut.description, icon: icon("bolt"), onchoose: () => this.shortcut(shortcut, message),
      })),
      ...(canDelete ? ["-", { label: "Delete message…", icon: icon("bin"), isDanger: true, onchoose: () => this.remove(message) }] : []),
    ], { align: "right", label: "Message actions" });
  }

  chooseReaction(anchor, message) {
    const panel = h("div", { class: "reaction-panel", role: "menu", "aria-label": "Reactions" }, QUICK_REACTIONS.map((name) => h("button", {
      type: "button", role: "menuitem", "aria-label": name, title: `:${name}:`,
      onclick: () => {
        closeMenu();
        this.react(message, name);
      },
    }, emoji(name))));
    placeFloating(panel, anchor, "right", () => anchor.focus());
    panel.firstChild.focus();
  }

  async shortcut(shortcut, message) {
    await this.attempt(async () => {
      const outcome = await this.store.api.send("/shortcuts", { callback_id: shortcut.callback_id, channel: this.channel, ts: message.ts });
      if (!outcome.ok) toast(`${this.store.app.name} didn't answer (${outcome.error}).`);
    });
  }

  async react(message, name) {
    await this.attempt(() => this.store.api.send("/reactions", { channel: this.channel, ts: message.ts, name }));
  }

  async remove(message) {
    const isSure = await confirmWith({ title: "Delete message?", text: "It is deleted for everybody.", confirm: "Delete", deny: "Cancel", isDanger: true });
    if (isSure) await this.attempt(() => this.store.api.remove("/messages", { channel: this.channel, ts: message.ts }));
  }

  async dismiss(message) {
    await this.attempt(() => this.store.api.remove("/messages", { channel: this.channel, ts: message.ts }));
  }

  edit(message) {
    this.editing = message.ts;
    this.paint();
    this.inner.querySelector(".edit-box textarea")?.focus();
  }

  editor(message) {
    const asTyped = unescapeText(message.text
      .replace(/<@([A-Z0-9]+)(?:\|[^>]*)?>/g, (whole, id) => (this.store.member(id) ? `@${this.store.member(id).name}` : whole))
      .replace(/<#([A-Z0-9]+)(?:\|[^>]*)?>/g, (whole, id) => (this.store.channel(id) ? `#${this.store.channel(id).name}` : whole))
      .replace(/<(https?:[^>|]+)>/g, "$1"));
    const area = h("textarea", { class: "field", rows: "2", "aria-label": "Edit message", value: asTyped });
    const stop = () => {
      this.editing = null;
      this.paint();
    };
    const save = () => this.attempt(async () => {
      await this.store.api.send("/messages", { channel: this.channel, ts: message.ts, text: area.value }, "PUT");
      stop();
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        stop();
      }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        save();
      }
    });
    return h("div", { class: "edit-box" }, area, h("div", { class: "dialog-buttons" },
      h("button", { type: "button", class: "button", onclick: stop }, "Cancel"),
      h("button", { type: "button", class: "button is-primary", onclick: save }, "Save")));
  }

  copyLink(message) {
    const thread = message.thread_ts && message.thread_ts !== message.ts ? `/${message.thread_ts}` : "";
    copy(`${location.origin}/#/${this.channel}/${message.ts}${thread}`);
  }

  async attempt(work) {
    try {
      await work();
    } catch (error) {
      toast(error.message);
    }
  }
}

function canGroup(before, message) {
  return before.user === message.user && !before.subtype && !message.subtype && Boolean(before.is_ephemeral) === Boolean(message.is_ephemeral)
    && Number(message.ts) - Number(before.ts) < GROUPED_SECONDS && !before.reply_count && !message.is_ephemeral && !before.username && !message.username;
}

function dateOf(ts) {
  return new Date(Number(ts) * 1000);
}

function dayOf(ts) {
  const date = dateOf(ts);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86400000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return date.toLocaleDateString("en", { weekday: "long", month: "long", day: "numeric" });
}

function clock(ts) {
  return dateOf(ts).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

function timeOf(message, isShort = false) {
  const date = dateOf(message.ts);
  return h("time", { class: `time${isShort ? " is-short" : ""}`, datetime: date.toISOString(), title: date.toLocaleString() }, clock(message.ts));
}

function divider(day) {
  return h("div", { class: "day", role: "separator", "aria-label": day }, h("span", {}, day));
}

function replyCount(count) {
  return h("div", { class: "reply-count" }, h("span", {}, count === 1 ? "1 reply" : `${count} replies`), h("hr"));
}

function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function copy(text) {
  navigator.clipboard?.writeText(text).then(() => toast("Copied."), () => toast("The browser doesn't let this page copy."));
}
