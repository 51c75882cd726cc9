"""The first tables: sources, sessions and events."""

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """See the module."""

    initial = True

    operations = [  # noqa: RUF012  what tortoise writes and declares
        ops.CreateModel(
            name="EventRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=36)),
                ("session_id", fields.CharField(max_length=36)),
                ("seq", fields.BigIntField()),
                ("kind", fields.CharField(max_length=32)),
                ("source_id", fields.CharField(max_length=36)),
                ("at", fields.FloatField()),
                ("media_time", fields.FloatField(null=True)),
                ("data", fields.JSONField(encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads)),
            ],
            options={
                "table": "events",
                "app": "vedette",
                "unique_together": (("session_id", "seq"),),
                "indexes": [Index(fields=["session_id", "kind", "seq"]), Index(fields=["session_id", "at"])],
                "pk_attr": "id",
                "table_description": "Stored events",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SessionRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=36)),
                ("source_id", fields.CharField(db_index=True, max_length=36)),
                ("pipelines", fields.JSONField(encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads)),
                ("profile", fields.CharField(max_length=16)),
                ("overlay", fields.CharField(max_length=16)),
                (
                    "classes",
                    fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads),
                ),
                ("state", fields.CharField(db_index=True, max_length=16)),
                ("reason", fields.TextField(null=True, unique=False)),
                ("owner", fields.CharField(max_length=100)),
                ("epoch", fields.IntField()),
                ("lease_until", fields.FloatField(null=True)),
                ("last_seq", fields.BigIntField()),
                ("clock_origin", fields.FloatField(null=True)),
                ("created_at", fields.FloatField()),
                ("ended_at", fields.FloatField(null=True)),
            ],
            options={
                "table": "sessions",
                "app": "vedette",
                "pk_attr": "id",
                "table_description": "One run of pipelines over a source",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SourceRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=36)),
                ("kind", fields.CharField(max_length=16)),
                ("name", fields.CharField(max_length=200)),
                ("url", fields.TextField(null=True, unique=False)),
                ("device", fields.CharField(null=True, max_length=200)),
                ("created_at", fields.FloatField()),
                ("deleted_at", fields.FloatField(null=True)),
            ],
            options={
                "table": "sources",
                "app": "vedette",
                "pk_attr": "id",
                "table_description": "Where pictures and sound come from",
            },
            bases=["Model"],
        ),
    ]
