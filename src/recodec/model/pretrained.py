class PretrainedMixin:
    pass
