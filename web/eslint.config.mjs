import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: [".next/", "out/", "next-env.d.ts", "public/"] },
  ...tseslint.configs.strict,
  reactHooks.configs.flat.recommended,
);
