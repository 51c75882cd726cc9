"""Files of sessions: thumbnails and snapshots."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("vedette", "0001_initial")]  # noqa: RUF012  what tortoise writes and declares

    initial = False

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="ArtifactRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=36)),
                ("session_id", fields.CharField(max_length=36)),
                ("source_id", fields.CharField(max_length=36)),
                ("owner", fields.CharField(max_length=100)),
                ("kind", fields.CharField(max_length=16)),
                ("media_type", fields.CharField(max_length=100)),
                ("bytes", fields.BigIntField()),
                ("width", fields.IntField()),
                ("height", fields.IntField()),
                ("sha256", fields.CharField(max_length=64)),
                ("at", fields.FloatField()),
                ("media_time", fields.FloatField(null=True)),
                ("created_at", fields.FloatField()),
            ],
            options={
                "table": "artifacts",
                "app": "vedette",
                "indexes": [Index(fields=["session_id", "id"])],
                "pk_attr": "id",
                "table_description": "Files of sessions",
            },
            bases=["Model"],
        ),
    ]
