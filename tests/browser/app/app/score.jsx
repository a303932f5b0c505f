"use client";
// score.jsx — <tsp-score> as a component of React 19, as www/README.md shows it.

import { useEffect, useRef, useState } from "react";
import "tsp-mgs/define";

export function Score({ src, prompt }) {
  const ref = useRef(null);
  const [score, setScore] = useState();
  useEffect(() => {
    const element = ref.current;
    const show = () => setScore(element.result?.perception?.score);
    show(); // a result that came before the page was hydrated
    element.addEventListener("tsp-score", show);
    return () => element.removeEventListener("tsp-score", show);
  }, []);
  return <>
    <tsp-score ref={ref} src={src} prompt={prompt} model="/model/model.json" device="cpu" crops={1} />
    <output>{score?.toFixed(3)}</output>
  </>;
}
