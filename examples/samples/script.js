// Prints the titles of data.json that carry a tag: node script.js [TAG]
const { readFileSync } = require("node:fs");

const tag = process.argv[2] ?? "classic";
const { items } = JSON.parse(readFileSync("data.json", "utf8"));
for (const { title, author } of items.filter((item) => item.tags.includes(tag))) {
  console.log(`${title} (${author})`);
}
