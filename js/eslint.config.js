import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test/.made", "**/*.out.mjs"] },
  ...tseslint.configs.recommended,
  {
    rules: {
      "max-lines": ["error", 350],
      "max-lines-per-function": ["error", { max: 50, skipComments: true }],
    },
  },
  { files: ["test/**"], rules: { "max-lines-per-function": "off" } },
);
