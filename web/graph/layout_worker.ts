/** elkjs alone, off the main thread: this module makes the worker speak its protocol (`register`, `layout`). */
import "elkjs/lib/elk-worker.min.js";
