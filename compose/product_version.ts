/** Of master, agent and CLI alike. */
export const PRODUCT_VERSION = "0.1.0";
