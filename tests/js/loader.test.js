import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel } from "./model.js";

/** The loader as the host imports it: anew for each widget. */
const loader = async () => {
  const url = new URL(`../../flowbook/notebook/static/loader.js?${Math.random()}`, import.meta.url);
  return (await import(url.href)).default;
};

test("a model that has begun says so, once, and keeps neither code nor data", async () => {
  const model = new FakeModel({ parts: new DataView(new ArrayBuffer(0)), graph: { svg: "<svg/>" }, snapshot: {} });

  (await loader()).initialize({ model });

  assert.deepEqual(model.sent, [{ type: "made" }]);
  assert.deepEqual(model.get("graph"), {});
});

test("a model without a kernel begins too", async () => {
  const model = new FakeModel({});
  model.onSend = () => {
    throw new Error("There is no comm.");
  };

  (await loader()).initialize({ model });

  assert.equal(model.sent.length, 1);
});
