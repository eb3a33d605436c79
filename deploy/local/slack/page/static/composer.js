// Where people write: text, commands with their hints, mentions, files.
import { avatar } from "./avatar.js";
import { append, h, icon, iconButton, replaceChildren } from "./dom.js";
import { EMOJI } from "./emoji.js";
import { toast } from "./menus.js";

const BUILT_IN = [{ command: "/invite", description: "Add somebody, or the app, to this channel", usage_hint: "@easel", isBuiltIn: true }];
const MAX_SUGGESTIONS = 8;

export class Composer {
  constructor({ store, channel, thread, placeholder, onSent }) {
    Object.assign(this, { store, channel, thread, onSent });
    this.files = []; // {file, preview, uploaded, failed}
    this.choices = [];
    this.chosen = 0;
    this.area = h("textarea", {
      class: "composer-text", rows: "1", placeholder, "aria-label": placeholder, "aria-autocomplete": "list",
      oninput: () => this.changed(), onkeydown: (event) => this.key(event), onpaste: (event) => this.paste(event),
      onblur: () => setTimeout(() => this.suggest([]), 150), onclick: () => this.changed(),
    });
    this.list = h("div", { class: "suggestions", role: "listbox", hidden: true });
    this.hint = h("div", { class: "composer-hint", hidden: true });
    this.chips = h("div", { class: "composer-files" });
    this.error = h("div", { class: "composer-error", role: "alert" });
    this.chooser = h("input", { type: "file", multiple: true, class: "visually-hidden", tabindex: "-1", "aria-label": "Files to share",
      onchange: () => {
        this.attach([...this.chooser.files]);
        this.chooser.value = "";
      } });
    this.sendButton = iconButton("send", "Send", () => this.send(), { class: "icon-button send" });
    this.broadcast = thread ? h("input", { type: "checkbox" }) : null;
    this.element = h("div", { class: "composer-box" }, this.list,
      h("div", { class: "composer" },
        h("div", { class: "composer-tools", role: "toolbar", "aria-label": "Formatting" },
          this.mark("bold", "Bold", "*"), this.mark("italic", "Italic", "_"), this.mark("strike", "Strikethrough", "~"), this.mark("code", "Code", "`")),
        this.area, this.chips, this.hint,
        h("div", { class: "composer-bar" },
          iconButton("plus", "Add files", () => this.chooser.click(), { class: "icon-button is-round" }),
          iconButton("at", "Mention somebody", () => this.insert("@")),
          thread ? null : iconButton("slash", "Run a command", () => this.insert("/", true)),
          this.chooser, h("span", { class: "grow" }), this.sendButton)),
      this.error,
      this.broadcast ? h("label", { class: "broadcast" }, this.broadcast, `Also send to #${store.channel(channel)?.name ?? "channel"}`) : null);
    this.element.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.element.classList.add("is-over");
    });
    this.element.addEventListener("dragleave", () => this.element.classList.remove("is-over"));
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.element.classList.remove("is-over");
      this.attach([...event.dataTransfer.files]);
    });
    this.changed();
  }

  focus() {
    this.area.focus({ preventScroll: true });
  }

  fill(text) {
    this.area.value = text;
    this.changed();
    this.area.setSelectionRange(text.length, text.length);
    this.focus();
  }

  mark(name, label, sign) {
    return iconButton(name, label, () => {
      const { selectionStart: start, selectionEnd: end, value } = this.area;
      this.area.setRangeText(sign + value.slice(start, end) + sign, start, end, "end");
      if (start === end) this.area.setSelectionRange(start + 1, start + 1);
      this.changed();
      this.focus();
    });
  }

  insert(sign, isAtStart = false) {
    if (isAtStart && !this.area.value.startsWith(sign)) this.area.setRangeText(sign, 0, 0, "end");
    else if (!isAtStart) {
      const at = this.area.selectionStart;
      const gap = at && !/\s/.test(this.area.value[at - 1]) ? " " : "";
      this.area.setRangeText(gap + sign, at, this.area.selectionEnd, "end");
    }
    this.focus();
    this.changed();
  }

  get commands() {
    return [...this.store.app.commands, ...BUILT_IN];
  }

  changed() {
    this.area.style.height = "auto";
    this.area.style.height = `${Math.min(this.area.scrollHeight, innerHeight * 0.4)}px`;
    this.sendButton.classList.toggle("is-ready", Boolean(this.area.value.trim() || this.files.length));
    replaceChildren(this.error);
    const text = this.area.value.slice(0, this.area.selectionStart);
    const command = /^\/(\S*)$/.exec(text);
    const word = /(?:^|\s)([@#:])([\w.+-]*)$/.exec(text);
    if (command && !this.thread) this.suggest(this.commandChoices(command[1]));
    else if (word?.[1] === "@") this.suggest(this.memberChoices(word[2]));
    else if (word?.[1] === "#") this.suggest(this.channelChoices(word[2]));
    else if (word?.[1] === ":" && word[2].length > 1) this.suggest(this.emojiChoices(word[2]));
    else this.suggest([]);
    this.showHint();
  }

  // The usage of the command that is being typed, until there is something after it.
  showHint() {
    const typed = /^(\/\S+)(\s|$)/.exec(this.area.value);
    const command = typed && !this.thread ? this.commands.find((entry) => entry.command === typed[1]) : null;
    const isShown = Boolean(command?.usage_hint) && !this.choices.length;
    this.hint.hidden = !isShown;
    if (isShown) replaceChildren(this.hint, h("code", {}, command.command), " ", command.usage_hint);
  }

  commandChoices(typed) {
    return this.commands.filter((entry) => entry.command.startsWith(`/${typed.toLowerCase()}`)).map((entry) => ({
      text: `${entry.command} `, isExact: entry.command === `/${typed}`,
      shown: [entry.isBuiltIn ? icon("slash", 22) : avatar({ is_bot: true }, 28),
        h("span", { class: "suggestion-main" }, h("span", {}, h("strong", {}, entry.command), " ", h("span", { class: "muted" }, entry.usage_hint)),
          h("span", { class: "muted" }, entry.description)),
        h("span", { class: "muted" }, entry.isBuiltIn ? "Workspace" : this.store.app.name)],
    }));
  }

  memberChoices(typed) {
    const wanted = typed.toLowerCase();
    return [...this.store.members.values()]
      .filter((member) => member.name.toLowerCase().startsWith(wanted) || member.real_name.toLowerCase().includes(wanted))
      .sort((one, other) => Number(other.is_bot) - Number(one.is_bot)).slice(0, MAX_SUGGESTIONS)
      .map((member) => ({
        text: `@${member.name} `,
        shown: [avatar(member, 24), h("span", { class: "suggestion-main" }, h("span", {}, h("strong", {}, this.store.nameOf(member.id)), " ",
          h("span", { class: "muted" }, member.is_bot ? "" : member.real_name))), member.is_bot ? h("span", { class: "app-badge" }, "APP") : null],
      }));
  }

  channelChoices(typed) {
    return [...this.store.channels.values()].filter((channel) => channel.name?.startsWith(typed.toLowerCase())).slice(0, MAX_SUGGESTIONS)
      .map((channel) => ({ text: `#${channel.name} `, shown: [icon("hash"), h("strong", {}, channel.name)] }));
  }

  emojiChoices(typed) {
    return [...EMOJI].filter(([name]) => name.startsWith(typed)).slice(0, MAX_SUGGESTIONS)
      .map(([name, sign]) => ({ text: `:${name}: `, shown: [h("span", { class: "emoji" }, sign), h("span", {}, `:${name}:`)] }));
  }

  suggest(choices) {
    this.choices = choices;
    this.chosen = 0;
    this.list.hidden = !choices.length;
    this.area.setAttribute("aria-expanded", String(Boolean(choices.length)));
    replaceChildren(this.list, choices.map((choice, index) => h("div", {
      class: `suggestion${index === 0 ? " is-on" : ""}`, role: "option", "aria-selected": String(index === 0),
      onpointerdown: (event) => {
        event.preventDefault();
        this.choose(choice);
      },
    }, choice.shown)));
  }

  move(step) {
    this.chosen = (this.chosen + step + this.choices.length) % this.choices.length;
    [...this.list.children].forEach((row, index) => {
      row.classList.toggle("is-on", index === this.chosen);
      row.setAttribute("aria-selected", String(index === this.chosen));
      if (index === this.chosen) row.scrollIntoView({ block: "nearest" });
    });
  }

  choose(choice) {
    const text = this.area.value.slice(0, this.area.selectionStart);
    const start = text.startsWith("/") && !/\s/.test(text) ? 0 : text.search(/[@#:][\w.+-]*$/);
    this.area.setRangeText(choice.text, start, this.area.selectionStart, "end");
    this.changed();
    this.focus();
  }

  key(event) {
    if (event.isComposing) return;
    if (this.choices.length) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        return this.move(event.key === "ArrowDown" ? 1 : -1);
      }
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        this.suggest([]);
        return this.showHint();
      }
      const choice = this.choices[this.chosen];
      if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && !choice.isExact)) {
        event.preventDefault();
        return this.choose(choice);
      }
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    }
  }

  paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.attach(files);
  }

  attach(files) {
    for (const file of files) {
      const entry = { file, preview: file.type.startsWith("image/") ? URL.createObjectURL(file) : null, uploaded: null, failed: "" };
      this.files.push(entry);
      entry.done = this.store.api.upload(file).then(
        (uploaded) => {
          entry.uploaded = uploaded;
        },
        (error) => {
          entry.failed = error.message;
        },
      ).then(() => this.paintFiles());
    }
    this.paintFiles();
    this.focus();
  }

  paintFiles() {
    replaceChildren(this.chips, this.files.map((entry) => h("div", { class: `file-chip${entry.uploaded || entry.failed ? "" : " is-busy"}` },
      entry.preview ? h("img", { src: entry.preview, alt: "", width: 44, height: 44 }) : icon("file"),
      h("span", {}, entry.file.name, entry.failed ? h("span", { class: "field-error" }, entry.failed) : null),
      iconButton("close", `Remove ${entry.file.name}`, () => this.detach(entry)))));
    this.changed();
  }

  detach(entry) {
    if (entry.preview) URL.revokeObjectURL(entry.preview);
    this.files = this.files.filter((other) => other !== entry);
    this.paintFiles();
  }

  async send() {
    const text = this.area.value.trim();
    const files = this.files;
    if ((!text && !files.length) || this.isSending) return;
    this.suggest([]);
    if (text.startsWith("/") && !files.length && !this.area.value.startsWith(" ")) return this.run(text);
    this.isSending = true;
    await Promise.all(files.map((entry) => entry.done));
    this.isSending = false;
    const body = { channel: this.channel, text, file_ids: files.filter((entry) => entry.uploaded).map((entry) => entry.uploaded.id) };
    if (this.thread) Object.assign(body, { thread_ts: this.thread, reply_broadcast: this.broadcast.checked });
    this.clear();
    try {
      await this.store.api.send("/messages", body);
      this.onSent?.();
    } catch (error) {
      this.fill(text);
      this.files = files;
      this.paintFiles();
      replaceChildren(this.error, error.message);
    }
  }

  async run(command) {
    if (this.thread) return void replaceChildren(this.error, `${command.split(/\s/)[0]} is not supported in threads. Sorry!`);
    this.clear();
    try {
      await this.store.api.send("/commands", { channel: this.channel, command });
      this.onSent?.();
    } catch (error) {
      toast(error.message);
      this.fill(command);
    }
  }

  clear() {
    this.area.value = "";
    this.files = [];
    this.paintFiles();
  }
}

// Instead of a composer, where the member may read but isn't in the channel.
export function joinBar({ store, channel, onJoined }) {
  const join = h("button", { type: "button", class: "button is-primary", onclick: async () => {
    try {
      await store.api.send("/join", { channel: channel.id });
      onJoined();
    } catch (error) {
      toast(error.message);
    }
  } }, "Join channel");
  return append(h("div", { class: "join-bar" }), [h("span", {}, "You are looking at ", h("strong", {}, `#${channel.name}`)), join]);
}
