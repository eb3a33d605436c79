// Generated avatars: initials on a colour that belongs to the person; the app has its own sign.
import { h } from "./dom.js";

const COLOURS = [
  ["#6d3fc8", "#a36bf2"], ["#c2185b", "#f0628f"], ["#00796b", "#2bb8a3"], ["#b7600b", "#f2a33a"],
  ["#1565c0", "#55a2f0"], ["#4a7d1e", "#8cc152"], ["#8e2a8b", "#d46bd0"], ["#a23b2a", "#ec7a62"],
];

export function avatar(member, size = 36) {
  const style = { width: `${size}px`, height: `${size}px`, fontSize: `${Math.round(size * 0.4)}px` };
  if (!member) return h("span", { class: "avatar is-slackbot", style, "aria-hidden": "true" }, "S");
  if (member.is_bot) {
    return h("img", { class: "avatar", style, src: "/static/icon.svg", alt: "", width: size, height: size });
  }
  const names = member.real_name.split(/\s+/);
  const initials = (names[0][0] + (names.length > 1 ? names.at(-1)[0] : "")).toUpperCase();
  const [from, to] = COLOURS[parseInt(member.id.slice(-4), 36) % COLOURS.length];
  return h("span", {
    class: "avatar", "aria-hidden": "true", style: { ...style, background: `linear-gradient(135deg, ${from}, ${to})` },
  }, initials);
}
