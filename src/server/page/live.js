// live.js - what the server does now.
export function setLive() {}
