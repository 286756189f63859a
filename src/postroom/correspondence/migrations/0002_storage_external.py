"""Bodies are compressed before they come here (blobs.py): the server shall not try again.

SET STORAGE is not in Django's language of models, hence SQL. With EXTERNAL a page costs half the server's time.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("correspondence", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE correspondence_body ALTER COLUMN content SET STORAGE EXTERNAL",
            "ALTER TABLE correspondence_body ALTER COLUMN content SET STORAGE EXTENDED",
        )
    ]
