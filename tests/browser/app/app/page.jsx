import { Score } from "./score.jsx";

export default function Page() {
  return <Score src="/samples/cat.jpg" prompt="a cat" />;
}
