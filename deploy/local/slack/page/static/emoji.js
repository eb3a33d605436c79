// The common emoji by Slack's names.
const NAMES = `
art 🎨|frame_with_picture 🖼️|paintbrush 🖌️|lower_left_paintbrush 🖌️|crayon 🖍️|lower_left_crayon 🖍️|camera 📷|sparkles ✨
star ⭐|star2 🌟|dizzy 💫|rainbow 🌈|sunny ☀️|moon 🌔|crescent_moon 🌙|cloud ☁️|zap ⚡|fire 🔥|snowflake ❄️|droplet 💧
smile 😄|smiley 😃|grinning 😀|grin 😁|joy 😂|rofl 🤣|laughing 😆|wink 😉|blush 😊|slightly_smiling_face 🙂|upside_down_face 🙃
heart_eyes 😍|star-struck 🤩|thinking_face 🤔|neutral_face 😐|face_with_rolling_eyes 🙄|confused 😕|cry 😢|sob 😭|angry 😠
sunglasses 😎|partying_face 🥳|scream 😱|sleeping 😴|robot_face 🤖|ghost 👻|alien 👽|wave 👋|clap 👏|pray 🙏|muscle 💪
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|ok_hand 👌|raised_hands 🙌|point_up ☝️|point_right 👉|point_left 👈|point_down 👇
eyes 👀|heart ❤️|blue_heart 💙|green_heart 💚|yellow_heart 💛|purple_heart 💜|broken_heart 💔|100 💯|tada 🎉|confetti_ball 🎊
gift 🎁|balloon 🎈|trophy 🏆|medal 🏅|rocket 🚀|car 🚗|boat ⛵|sailboat ⛵|airplane ✈️|house 🏠|office 🏢|tree 🌳
deciduous_tree 🌳|evergreen_tree 🌲|sunflower 🌻|rose 🌹|cherry_blossom 🌸|fish 🐟|tropical_fish 🐠|dog 🐶|cat 🐱|unicorn_face 🦄
white_check_mark ✅|heavy_check_mark ✔️|x ❌|warning ⚠️|no_entry ⛔|no_entry_sign 🚫|question ❓|exclamation ❗|bulb 💡|bell 🔔
hourglass ⌛|hourglass_flowing_sand ⏳|stopwatch ⏱️|alarm_clock ⏰|clock1 🕐|calendar 📅|date 📅|memo 📝|pencil 📝|pencil2 ✏️
lock 🔒|unlock 🔓|key 🔑|gear ⚙️|hammer 🔨|wrench 🔧|hammer_and_wrench 🛠️|mag 🔍|link 🔗|pushpin 📌|paperclip 📎|package 📦
seedling 🌱|game_die 🎲|dart 🎯|repeat 🔁|arrows_counterclockwise 🔄|recycle ♻️|arrow_up ⬆️|arrow_down ⬇️|arrow_left ⬅️
arrow_right ➡️|arrow_forward ▶️|double_vertical_bar ⏸️|black_square_for_stop ⏹️|new 🆕|ok 🆗|sos 🆘|information_source ℹ️
red_circle 🔴|large_blue_circle 🔵|large_green_circle 🟢|large_yellow_circle 🟡|large_orange_circle 🟠|white_circle ⚪
black_circle ⚫|large_purple_circle 🟣|large_red_square 🟥|large_blue_square 🟦|small_blue_diamond 🔹|small_red_triangle 🔺
speech_balloon 💬|thought_balloon 💭|wastebasket 🗑️|inbox_tray 📥|outbox_tray 📤|floppy_disk 💾|computer 💻|iphone 📱
chart_with_upwards_trend 📈|bar_chart 📊|moneybag 💰|coffee ☕|pizza 🍕|cake 🍰|beers 🍻|earth_africa 🌍|globe_with_meridians 🌐
see_no_evil 🙈|crossed_fingers 🤞|v ✌️|writing_hand ✍️|raised_hand ✋|shrug 🤷|facepalm 🤦|crown 👑|gem 💎|construction 🚧`;

export const EMOJI = new Map(
  NAMES.trim().split(/[|\n]/).map((pair) => {
    const at = pair.lastIndexOf(" ");
    return [pair.slice(0, at), pair.slice(at + 1)];
  }),
);

export const QUICK_REACTIONS = ["+1", "heart", "art", "tada", "eyes", "joy", "sparkles", "-1"];

export function emoji(name) {
  return EMOJI.get(name.split("::")[0]) ?? null;
}
