// node --require loopback.cjs …: a server that names no address would listen on every interface; it gets 127.0.0.1.
const net = require("net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const [first, second] = given;
  if (typeof first === "number" && typeof second !== "string") {
    given.splice(1, 0, "127.0.0.1");
  } else if (first && typeof first === "object" && first.port !== undefined && !first.host && !first.path) {
    given[0] = { ...first, host: "127.0.0.1" };
  }
  return listen.apply(this, given);
};
