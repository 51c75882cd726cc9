import { Console } from "@/components/Console";

export default function Page() {
  return <Console />;
}
