"use client";
// score.jsx — <tsp-score> as a component of React 19, which passes properties and events on by itself.

import { useState } from "react";
import "tsp-mgs/define";

export function Score({ src, prompt }) {
  const [result, setResult] = useState(null);
  return <>
    <tsp-score src={src} prompt={prompt} model="/model/model.json" device="cpu" crops={1} ontsp-score={({ detail }) => setResult(detail)} />
    <output>{result?.perception.score.toFixed(3)}</output>
  </>;
}
