from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "postroom.config"
    label = "postroom_config"

    def ready(self) -> None:
        from postroom.config import wiring

        wiring.install()
