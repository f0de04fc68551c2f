// The console's own scripts. Every page works without them; they make it live and quick to use.
import "./keyed.js";
import "./keys.js";
import { keepAges } from "./ages.js";
import { watchLive } from "./live.js";
import { setUpPalette } from "./palette.js";
import { setUpThemes } from "./themes.js";

keepAges();
watchLive();
setUpPalette();
setUpThemes();
