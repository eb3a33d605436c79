// rich_text and table blocks.
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { channelMention, link, userMention } from "./mrkdwn.js";

export function richText(block, names) {
  return (block.elements ?? []).map((element) => part(element, names));
}

function part(element, names) {
  const inside = (element.elements ?? []);
  switch (element.type) {
    case "rich_text_list": {
      const tag = element.style === "ordered" ? "ol" : "ul";
      return h(tag, { class: `rich-list indent-${element.indent ?? 0}` },
        inside.map((item) => h("li", {}, (item.elements ?? []).map((piece) => span(piece, names)))));
    }
    case "rich_text_preformatted": return h("pre", { class: "code-block" }, inside.map((piece) => span(piece, names)));
    case "rich_text_quote": return h("blockquote", { class: "quote" }, inside.map((piece) => span(piece, names)));
    default: return h("div", {}, inside.map((piece) => span(piece, names)));
  }
}

function span(piece, names) {
  let shown;
  switch (piece.type) {
    case "text": shown = lines(piece.text ?? ""); break;
    case "link": shown = [link(piece.url ?? "", piece.text || piece.url || "")]; break;
    case "emoji": shown = [h("span", { class: "emoji" }, emoji(piece.name) ?? `:${piece.name}:`)]; break;
    case "user": shown = [userMention(piece.user_id, names, "")]; break;
    case "channel": shown = [channelMention(piece.channel_id, names, "")]; break;
    case "broadcast": shown = [h("span", { class: "mention is-me" }, `@${piece.range}`)]; break;
    case "date": shown = [new Date(piece.timestamp * 1000).toLocaleString()]; break;
    default: shown = [piece.text ?? ""];
  }
  for (const [style, tag] of [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]]) {
    if (piece.style?.[style]) shown = [h(tag, {}, shown)];
  }
  return shown;
}

function lines(text) {
  return text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));
}

export function table(block, names) {
  const settings = block.column_settings ?? [];
  const cell = (tag, content, column) => h(tag, { style: { textAlign: settings[column]?.align ?? "left" } },
    content.type === "rich_text" ? richText(content, names) : String(content.text ?? content.value ?? ""));
  const [head, ...rows] = block.rows;
  return h("div", { class: "block-table" }, h("table", {},
    h("thead", {}, h("tr", {}, head.map((content, column) => cell("th", content, column)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((content, column) => cell("td", content, column)))))));
}
