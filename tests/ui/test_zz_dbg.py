from tests.ui.test_long_names import *
from tests.ui.conftest import *
import pytest
@pytest.mark.parametrize('key',["alt+s","alt+i","alt+q","alt+x"])
async def test_x(make_app, engine,key):
    app = make_app()
    async with app.run_test(size=(120,40)) as pilot:
        engine.ready(); await settle(app,pilot)
        await walk(pilot,key); await walk(pilot,"alt+1"); print(key, app.screen, app.screen._bindings.key_to_bindings.keys() if app.screen is not app.studio else '')
        print('alt+1' in app._bindings.key_to_bindings, app.active_bindings.get('alt+1'))
