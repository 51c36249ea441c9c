"""Virtual trials through the engine that judges real ones: how often would it stop, whom tell?"""
