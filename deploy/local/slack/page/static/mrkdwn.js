// Slack's mrkdwn as elements. Nothing becomes HTML: each piece of text is a text node, each link is checked.
import { h } from "./dom.js";
import { emoji } from "./emoji.js";

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

export function unescapeText(text) {
  return text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);
}

export function isWebAddress(url) {
  return /^(https?:\/\/|mailto:)/i.test(url);
}

// `names` finds members and channels: {member(id), channel(id), openChannel(id), me}.
export function mrkdwn(text, names) {
  const out = [];
  const fence = /```([\s\S]*?)```/g;
  let at = 0;
  for (const match of text.matchAll(fence)) {
    out.push(...lines(text.slice(at, match.index), names));
    out.push(h("pre", { class: "code-block" }, unescapeText(match[1].replace(/^\n/, "").replace(/<([^>|]+)\|?[^>]*>/g, "$1"))));
    at = match.index + match[0].length;
  }
  out.push(...lines(text.slice(at), names));
  return out;
}

export function plainText(text) {
  return splitEmoji(text);
}

function lines(text, names) {
  const out = [];
  let quote = null;
  const rows = text.split("\n");
  rows.forEach((row, index) => {
    const quoted = /^(?:&gt;|>)\s?(.*)$/.exec(row);
    if (quoted) {
      if (!quote) out.push((quote = h("blockquote", { class: "quote" })));
      else quote.append(h("br"));
      quote.append(...spans(quoted[1], names));
      return;
    }
    if (index > 0 && !quote) out.push(h("br"));
    quote = null;
    out.push(...spans(row, names));
  });
  if (rows.length > 1 && out.at(-1)?.tagName === "BR" && rows.at(-1) === "") out.pop();
  return out;
}

const SPAN = new RegExp([
  "`([^`\\n]+)`", // 1 code
  "<([^<>\\n]+)>", // 2 link, mention
  "(?<![\\w*])\\*(?=\\S)([^*\\n]*?\\S)\\*(?![\\w*])", // 3 bold
  "(?<![\\w_])_(?=\\S)([^\\n]*?\\S)_(?![\\w_])", // 4 italic
  "(?<![\\w~])~(?=\\S)([^~\\n]*?\\S)~(?![\\w~])", // 5 strike
].join("|"), "g");

function spans(text, names) {
  const out = [];
  let at = 0;
  for (const match of text.matchAll(SPAN)) {
    out.push(...splitEmoji(unescapeText(text.slice(at, match.index))));
    at = match.index + match[0].length;
    if (match[1] !== undefined) out.push(h("code", {}, unescapeText(match[1].replace(/<([^>|]+)\|?[^>]*>/g, "$1"))));
    else if (match[2] !== undefined) out.push(reference(match[2], names));
    else if (match[3] !== undefined) out.push(h("strong", {}, spans(match[3], names)));
    else if (match[4] !== undefined) out.push(h("em", {}, spans(match[4], names)));
    else out.push(h("s", {}, spans(match[5], names)));
  }
  out.push(...splitEmoji(unescapeText(text.slice(at))));
  return out;
}

function reference(inside, names) {
  const [target, label] = split(inside);
  if (target.startsWith("@")) return userMention(target.slice(1), names, label);
  if (target.startsWith("#")) return channelMention(target.slice(1), names, label);
  if (target.startsWith("!date^")) return dateMention(target, label);
  if (target.startsWith("!subteam^")) return h("span", { class: "mention" }, label || "@group");
  if (target.startsWith("!")) return h("span", { class: "mention is-me" }, `@${target.slice(1)}`);
  if (!isWebAddress(target)) return document.createTextNode(unescapeText(`<${inside}>`));
  return link(unescapeText(target), label ? unescapeText(label) : unescapeText(target).replace(/^mailto:/, ""));
}

export function link(url, label) {
  if (!isWebAddress(url)) return document.createTextNode(label);
  return h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, label);
}

export function userMention(id, names, label) {
  const member = names.member(id);
  const name = member ? (member.is_bot ? member.real_name : member.profile.display_name) : label || "unknown";
  return h("span", { class: `mention${id === names.me ? " is-me" : ""}` }, `@${name}`);
}

export function channelMention(id, names, label) {
  const channel = names.channel(id);
  const name = `#${channel?.name ?? (label || "private")}`;
  if (!channel) return h("span", { class: "mention" }, name);
  const open = (event) => {
    event.preventDefault();
    names.openChannel(id);
  };
  return h("a", { class: "mention", href: `#/${id}`, onclick: open }, name);
}

function dateMention(target, label) {
  const [, seconds, format] = target.split("^");
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return document.createTextNode(label ?? "");
  const day = date.toLocaleDateString([], { dateStyle: "medium" });
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const text = (format ?? "{date} {time}")
    .replace(/\{date[a-z_]*\}/g, day).replace(/\{time[a-z_]*\}/g, time).replace(/\{ago\}/g, `${day} ${time}`);
  return h("time", { datetime: date.toISOString() }, text);
}

function split(inside) {
  const at = inside.indexOf("|");
  return at < 0 ? [inside, ""] : [inside.slice(0, at), inside.slice(at + 1)];
}

export function splitEmoji(text) {
  const out = [];
  let at = 0;
  for (const match of text.matchAll(/:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/g)) {
    const sign = emoji(match[1]);
    if (!sign) continue;
    if (match.index > at) out.push(document.createTextNode(text.slice(at, match.index)));
    out.push(h("span", { class: "emoji", role: "img", "aria-label": match[1], title: match[0] }, sign));
    at = match.index + match[0].length;
  }
  if (at < text.length) out.push(document.createTextNode(text.slice(at)));
  return out;
}
