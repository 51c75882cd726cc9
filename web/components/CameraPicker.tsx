"use client";

import type { Cameras } from "@/lib/cameras";
import { useStore } from "./hooks";
import { Select } from "./Select";

interface Props {
  cameras: Cameras;
  /** Device id, or "" for the browser's choice. */
  value: string;
  onChange(deviceId: string): void;
}

/** Which camera, where there are several; nothing else. */
export function CameraPicker({ cameras, value, onChange }: Props) {
  const devices = useStore(cameras.view);
  if (devices.length < 2) return null;
  const options = devices.map(({ deviceId, label }) => ({ value: deviceId, label: label.replace(/ \([0-9a-f]{4}:[0-9a-f]{4}\)$/, "") }));
  const known = options.some((option) => option.value === value);
  return <Select label="Camera" value={known ? value : (options[0]?.value ?? "")} options={options} onChange={onChange} />;
}
