// Known answers, computed anew whenever the page is opened: without them nothing is checked.  [audit 8.6]

const GOOD_LEDGER = /*{good_ledger}*/null; // written in by the build
const GOOD_ROWS = 6;
const GOOD_HEAD = "94a7d5e84139d20fb96e367910498c560fc55e06f2acd7e91339f76d85fea638";
const GOOD_ROOT = "U74TS1ZMB6PMd4Xzo0Rq99G4k4EDEcNDX3s/7YZbwUc=";
const BAD_ROW = 3;

/** Return the names of the known answers that this browser does not reproduce; [] where all is well. */
async function selfTest() {
  const failed = [];
  const hold = (name, found, expected) => {
    if (found !== expected) failed.push(name);
  };
  hold("SHA-256 of nothing", hex(sha256(new Uint8Array(0))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  hold('SHA-256 of "abc"', hex(sha256(utf8("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  hold("SHA-256 of 1 MiB of zeros", hex(sha256(new Uint8Array(1 << 20))), "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58");
  hold("SHA-1 name of RFC 9562", uuid5(uuidBytes("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  const good = await selfTestLedger(GOOD_LEDGER);
  hold("good ledger: result", good.exit, 0);
  hold("good ledger: rows", good.rows, GOOD_ROWS);
  hold("good ledger: head", good.head, GOOD_HEAD);
  hold("good ledger: root", good.root, hex(fromBase64(GOOD_ROOT)));
  const lines = GOOD_LEDGER.split("\n");
  lines[BAD_ROW] = lines[BAD_ROW].replace(/("net_bps":"[^"]*)[0-9]"/, (all, before) => `${before}${all.at(-2) === "1" ? "2" : "1"}"`);
  const bad = await selfTestLedger(lines.join("\n"));
  hold("bad ledger: result", bad.exit, 11);
  hold("bad ledger: row", bad.first_bad_row, BAD_ROW);
  return failed;
}

async function selfTestLedger(text) {
  const context = { emitted: null, emitFile: null, checkpoints: [], anchors: null };
  return (await verifyLedger("emit", new File([text], "selftest"), context, () => {})).report;
}
