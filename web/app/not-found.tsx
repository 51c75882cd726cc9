import Link from "next/link";

export default function NotFound() {
  return (
    <main className="notFound">
      <h1>No such page</h1>
      <p>
        <Link href="/">Go to the live view</Link>
      </p>
    </main>
  );
}
